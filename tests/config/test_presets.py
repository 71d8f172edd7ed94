"""Presets: what they hold, and where their values stand between those of the user and our defaults."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.defaults import defaults_of
from loratpl.config.families import FAMILIES
from loratpl.config.machine import WITH_GPU, WITH_OLD_GPU, WITHOUT_GPU, Machine
from loratpl.config.presets import nearest_preset, plain_preset, preset_names, read_preset
from loratpl.config.reading import read_config
from loratpl.config.settings import Settings, resolve
from loratpl.config.starter import starter_config
from loratpl.errors import Problem
from loratpl.render.prepare import judge
from loratpl.resources import TEMPLATES_DIR
from tests.command_line import kohyatpl
from tests.config.preset_given import make_preset_project
from tests.given import only, write_config
from tests.stand_in import write_picture

EVERY_PRESET = pytest.mark.parametrize("name", preset_names())
FAMILIES_WITH_PRESETS = ["sd15", "sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima"]
OWN_KEYS = {"family", "about", "based_on"}


def written(name: str) -> dict[str, Any]:
    """Returns what stands in a preset's own file."""
    return dict(read_config(TEMPLATES_DIR / "presets" / f"{name}.yaml").values)


def settled(
    folder: Path, machine: Machine = WITH_GPU, overrides: tuple[tuple[str, Any], ...] = (), **values: Any
) -> tuple[Settings, tuple[Problem, ...]]:
    """Returns settings and problems of a config of these values; missing models of a family are no matter."""
    raw = read_config(write_config(folder, values))
    settings, problems = resolve(raw, project_name="cats", overrides=overrides, machine=machine)
    return settings, tuple(problem for problem in problems if problem.code != "config.model.missing")


# --- what they hold


@EVERY_PRESET
def test_a_preset_is_called_like_its_family_and_says_what_it_is_for(name: str) -> None:
    preset = read_preset(name)
    assert re.fullmatch(rf"{preset.family}(-\d+gb)?(-[a-z]+)?", name)
    assert preset.about
    assert not preset.about.endswith(".")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_plain_preset_where_its_settings_are_known(family: str) -> None:
    assert plain_preset(family) == (family if family in FAMILIES_WITH_PRESETS else None)
    assert set(preset_names(family)) == {name for name in preset_names() if read_preset(name).family == family}


@EVERY_PRESET
def test_every_value_has_its_source_in_a_comment(name: str) -> None:
    """On its line or directly above it."""
    lines = (TEMPLATES_DIR / "presets" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        key = re.match(r"([a-z]\w*):", line)
        if key and key.group(1) not in OWN_KEYS:
            assert "  # " in line or lines[number - 1].startswith("# "), line


@EVERY_PRESET
def test_a_preset_says_nothing_that_holds_without_it(name: str) -> None:
    own = written(name)
    base = read_preset(own["based_on"]).options if "based_on" in own else {}
    below = {default.name: default.value for default in defaults_of(read_preset(name).family) if not default.needs}
    below |= {option: entry.value for option, entry in base.items()}
    assert [key for key in own.keys() - OWN_KEYS if below.get(key) == own[key]] == []


@EVERY_PRESET
@pytest.mark.parametrize(
    ("machine", "gpu_count"), [(WITH_GPU, None), (WITH_OLD_GPU, None), (WITHOUT_GPU, 0)], ids=["gpu", "old gpu", "cpu"]
)
def test_a_project_of_a_preset_has_nothing_wrong_on_any_machine(
    tmp_path: Path, name: str, machine: Machine, gpu_count: int | None
) -> None:
    project = make_preset_project(tmp_path / "cats", name)
    judged = judge(project, gpu_count=lambda: gpu_count, machine=machine, is_this_machine=False, packages=lambda: None)
    if machine is WITH_OLD_GPU and read_preset(name).family == "hunyuan-image":  # nothing can be done about that
        assert {problem.code for problem in judged.problems} == {"config.precision"}
    else:
        assert judged.problems == ()
    assert judged.plan is not None


@EVERY_PRESET
def test_a_preset_is_what_its_file_says(tmp_path: Path, name: str) -> None:
    settings, problems = settled(tmp_path, preset=name)
    assert problems == ()
    assert settings.family.name == read_preset(name).family
    for option, entry in read_preset(name).options.items():
        if not isinstance(entry.value, dict):
            assert settings[option] == entry.value
        assert settings.options[option].source == f"preset {name}"
        assert settings.options[option].preset == name
        assert not settings.options[option].is_written


def test_arguments_of_a_preset_become_those_of_the_trainer(tmp_path: Path) -> None:
    settings, _ = settled(tmp_path, preset="sdxl-8gb")
    assert settings["optimizer_args"] == ["relative_step=False", "scale_parameter=False", "warmup_init=False"]


def test_a_preset_has_what_it_is_based_on(tmp_path: Path) -> None:
    settings, _ = settled(tmp_path, preset="flux-8gb")
    assert (settings["blocks_to_swap"], settings["optimizer_type"], settings["fp8_base"]) == (28, "Adafactor", True)
    assert settings.where("blocks_to_swap").startswith("preset flux-8gb line ")
    assert settings.where("optimizer_type").startswith("preset flux-10gb line ")


def test_the_docs_list_them_all() -> None:
    docs = (TEMPLATES_DIR.parent / "docs" / "config.md").read_text(encoding="utf-8")
    _, _, section = docs.partition("\n## Presets\n")
    rows = [row.split("|") for row in section.partition("\n## ")[0].splitlines() if row.startswith("| `")]
    listed = {name: re.findall(r"`([^`]+)`", names) for _, name, names, _ in rows}
    assert {name.strip(" `"): set(names) for name, names in listed.items()} == {
        family: set(preset_names(family)) for family in FAMILIES_WITH_PRESETS
    }


# --- precedence


def test_command_line_config_preset_and_default_in_this_order(tmp_path: Path) -> None:
    overrides = (("lr_scheduler", "linear"),)
    settings, problems = settled(
        tmp_path, overrides=overrides, preset="sdxl", lr_scheduler="cosine", network_dim=4, seed=1
    )
    assert problems == ()
    found = {name: (settings[name], settings.options[name].source) for name in settings.options}
    assert found["lr_scheduler"] == ("linear", "command line")
    assert found["network_dim"] == (4, "config.json")
    assert found["network_alpha"] == (16.0, "preset sdxl")
    assert found["max_train_epochs"] == (10, "default")
    assert settings.preset == "sdxl"


def test_a_preset_can_be_named_on_the_command_line(tmp_path: Path) -> None:
    settings, problems = settled(tmp_path, overrides=(("preset", "flux-12gb"),), preset="flux", family="flux")
    assert problems == ()
    assert settings["blocks_to_swap"] == 16


@pytest.mark.parametrize("unset", [None, ""])
def test_a_preset_that_is_left_out_is_none(tmp_path: Path, unset: str | None) -> None:
    settings, problems = settled(tmp_path, preset=unset)
    assert (settings.preset, problems) == ("", ())


@pytest.mark.parametrize(
    ("preset", "values", "expected"),
    [
        # The same in another way.
        ("flux", {"use_8bit_adam": True}, {"optimizer_type": None}),
        ("sdxl", {"lr_scheduler_type": "LinearLR"}, {"lr_scheduler": None}),
        # What belongs to an option of the preset goes with it.
        ("sdxl-8gb", {"optimizer_type": "AdamW"}, {"optimizer_args": None, "max_grad_norm": 1.0}),
        ("sdxl-8gb", {"optimizer_type": "Adafactor"}, {"max_grad_norm": 0.0}),
        ("sd15", {"lr_scheduler": "constant"}, {"lr_warmup_steps": None, "lr_scheduler_num_cycles": None}),
        # Whoever trains a text encoder cannot keep its outputs.
        ("flux", {"text_encoder_lr": [1e-5]}, {"cache_text_encoder_outputs_to_disk": None}),
        ("flux", {"network_train_unet_only": False}, {"cache_text_encoder_outputs_to_disk": None}),
        ("sdxl", {"text_encoder_lr": [1e-5]}, {"cache_text_encoder_outputs": None, "network_train_unet_only": None}),
        ("sdxl", {"shuffle_caption": True}, {"cache_text_encoder_outputs": True}),
        # An option that is switched off stays off.
        ("flux", {"fp8_base": False}, {"fp8_base": False}),
        ("sdxl-vpred", {"v_parameterization": False}, {"zero_terminal_snr": None}),
    ],
)
def test_a_preset_steps_back_before_what_the_user_wrote(
    tmp_path: Path, preset: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    settings, _ = settled(tmp_path, preset=preset, **values)
    assert {name: settings[name] for name in expected} == expected


# --- the machine


def test_a_preset_adapts_to_a_machine_without_a_gpu_and_says_so(tmp_path: Path) -> None:
    settings, problems = settled(tmp_path, WITHOUT_GPU, preset="flux-12gb")
    assert problems == ()
    found = {name: (settings[name], settings.options[name].note) for name in settings.options}
    assert found["optimizer_type"] == ("AdamW", "in place of AdamW8bit, without a GPU")
    assert found["fp8_base"] == (False, "in place of true, without a GPU")
    assert found["blocks_to_swap"] == (0, "in place of 16, without a GPU")
    assert found["mixed_precision"] == ("no", "without a GPU")
    assert found["network_alpha"] == (16.0, "")


@pytest.mark.parametrize(("machine", "precision"), [(WITH_GPU, "bf16"), (WITH_OLD_GPU, "fp16"), (WITHOUT_GPU, "no")])
def test_what_the_user_wrote_is_never_changed(tmp_path: Path, machine: Machine, precision: str) -> None:
    wrote: dict[str, Any] = {
        "optimizer_type": "AdamW8bit",
        "fp8_base": True,
        "blocks_to_swap": 2,
        "mixed_precision": "bf16",
    }
    settings, _ = settled(tmp_path / "a", machine, preset="flux-12gb", **wrote)
    assert {name: settings[name] for name in wrote} == wrote
    assert settled(tmp_path / "b", machine, preset="flux-12gb")[0]["mixed_precision"] == precision


@pytest.mark.parametrize("asked", ["cpu", "cuda"])
def test_check_judges_presets_for_the_machine_that_it_is_asked_about(tmp_path: Path, asked: str) -> None:
    project = make_preset_project(tmp_path / "cats", "hunyuan-image-24gb")
    done = kohyatpl("check", project.root_dir, "--for", asked, "--json")
    assert [problem["code"] for problem in done.problems] == ["trainer.missing"]
    assert done.code == 0


def test_check_still_refuses_what_was_written_for_a_gpu(tmp_path: Path) -> None:
    project = make_preset_project(tmp_path / "cats", "sdxl", optimizer_type="AdamW8bit")
    done = kohyatpl("check", project.root_dir, "--for", "cpu", "--json")
    assert "machine.optimizer" in [problem["code"] for problem in done.problems]


# --- refusals


def test_an_unknown_preset_is_refused_with_the_nearest(tmp_path: Path) -> None:
    settings, problems = settled(tmp_path, preset="flux-12g")
    problem = only(problems)
    assert (problem.code, settings.preset) == ("config.preset", "")
    assert problem.where == "config.json line 3: preset"
    assert "Did you mean `flux-12gb`?" in problem.fix
    assert "sdxl" not in problem.fix


@pytest.mark.parametrize("value", [8, ["sdxl"], True])
def test_a_preset_is_a_name(tmp_path: Path, value: Any) -> None:
    assert only(settled(tmp_path, preset=value)[1]).code == "config.preset"


@pytest.mark.parametrize(
    ("values", "found"), [({"family": "flux"}, "config.json"), ({"ae": "ae", "t5xxl": "t5"}, "found from ae and t5xxl")]
)
def test_a_preset_of_another_family_is_refused(tmp_path: Path, values: dict[str, Any], found: str) -> None:
    settings, problems = settled(tmp_path, preset="sdxl-8gb", **values)
    problem = next(problem for problem in problems if problem.code == "config.preset")
    assert settings.family.name == "flux"
    assert f"the preset sdxl-8gb is for sdxl, and this config is flux ({found})" in problem.message
    assert "flux-12gb" in problem.fix


def test_a_family_without_presets_says_so(tmp_path: Path) -> None:
    problem = only(settled(tmp_path, preset="sd15", v2=True)[1])
    assert "There is none for sd2; take it out, or correct the `family`." in problem.fix


def test_a_preset_tells_the_family_where_nothing_else_does(tmp_path: Path) -> None:
    settings, problems = settled(tmp_path, preset="lumina")
    assert problems == ()
    assert (settings.family.name, settings.family_source) == ("lumina", "found from the preset lumina")


@pytest.mark.parametrize(
    ("word", "name"), [("flux_12gb", "flux-12gb"), ("SDXL", "sdxl"), ("sdxl-vpre", "sdxl-vpred"), ("zebra", None)]
)
def test_the_nearest_preset(word: str, name: str | None) -> None:
    assert nearest_preset(word) == name


# --- new projects


@EVERY_PRESET
def test_a_first_config_leaves_to_the_preset_what_it_says(tmp_path: Path, name: str) -> None:
    family = read_preset(name).family
    starter = starter_config(family=family, model="model.safetensors", output_name="cats", preset=name)
    started, _ = settled(tmp_path / "a", **starter)
    alone, _ = settled(tmp_path / "b", family=family, preset=name)
    folders = {"train_data_dir", "reg_data_dir", "output_dir", "logging_dir", "pretrained_model_name_or_path"}
    first, second = (
        {option: setting.value for option, setting in found.options.items() if option not in folders}
        for found in (started, alone)
    )
    assert first == second


def first_config(folder: Path, *arguments: str) -> dict[str, Any]:
    """Returns the config that `new` writes."""
    assert kohyatpl("new", folder / "cats", *arguments).code == 0
    config: dict[str, Any] = json.loads((folder / "cats" / "config.json").read_text(encoding="utf-8"))
    return config


@pytest.mark.parametrize(
    ("arguments", "family", "preset"),
    [
        (("--preset", "flux-12gb"), "flux", "flux-12gb"),
        (("--preset", "sdxl-8gb", "--family", "sdxl"), "sdxl", "sdxl-8gb"),
        (("--family", "lumina"), "lumina", "lumina"),
        (("--family", "sd2"), "sd2", None),
        ((), "sd15", None),  # a guess: of it nothing follows
    ],
)
def test_new_names_the_preset_and_the_family(
    tmp_path: Path, arguments: tuple[str, ...], family: str, preset: str | None
) -> None:
    config = first_config(tmp_path, *arguments)
    assert (config["family"], config.get("preset")) == (family, preset)
    assert preset is None or config.keys().isdisjoint(read_preset(preset).options)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--preset", "flux-13gb"), "Did you mean flux-1"),
        (("--preset", "zebra"), "sd15, "),
        (("--preset", "flux-12gb", "--family", "sdxl"), "sdxl-8gb"),
        (("--preset", "flux", "--family", "sd2"), "there is none for sd2"),
        (("--preset", "sd15", "--template", "lora-concepts-2023"), "Leave `--preset` or `--template` out."),
    ],
)
def test_new_refuses_a_preset_that_cannot_be(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    done = kohyatpl("new", tmp_path / "cats", *arguments, "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.preset")
    assert named in done.problem["fix"]
    assert not (tmp_path / "cats").exists()


def test_a_tree_that_is_adopted_can_have_a_preset(tmp_path: Path) -> None:
    (tmp_path / "cats" / "img" / "10_ohwx cat").mkdir(parents=True)
    write_picture(tmp_path / "cats" / "img" / "10_ohwx cat" / "1.png")
    config = first_config(tmp_path, "--adopt", "--preset", "anima-8gb")
    assert (config["family"], config["preset"], config["train_data_dir"]) == ("anima", "anima-8gb", "img")


def test_config_show_tells_preset_values_apart(tmp_path: Path) -> None:
    project = make_preset_project(tmp_path / "cats", "flux-12gb", seed=7)
    done = kohyatpl("config", "show", project.root_dir)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["family  flux  (flux_train_network.py)", "preset  flux-12gb  (FLUX.1 dev on a GPU of 12 GB)"]
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[4:]}
    assert rows["network_alpha"].split() == ["16.0", "1", "preset", "flux-12gb"]
    assert rows["fp8_base"].endswith("preset flux-12gb, in place of true, without a GPU")
    assert rows["seed"].split() == ["7", "-", "config.json"]
    data = kohyatpl("config", "show", project.root_dir, "--json").envelope["data"]
    assert data["preset"] == "flux-12gb"
    assert data["options"]["blocks_to_swap"] == {
        "value": 0, "source": "preset flux-12gb", "trainer_default": None, "note": "in place of 16, without a GPU",
    }  # fmt: skip
