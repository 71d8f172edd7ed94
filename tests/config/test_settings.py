"""Settings: what is refused and why, where each value comes from, and what paths count from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.defaults import DEFAULTS
from loratpl.config.families import FAMILIES
from loratpl.config.reading import RawConfig, read_config
from loratpl.config.settings import COMMAND_LINE, DEFAULT, RESERVED, parse_assignment, resolve
from loratpl.errors import ConfigError, ExitCode, UsageError, exit_code_of
from loratpl.trainer.manifest import BASE_SCRIPT, load_manifest
from tests.given import MODEL, only, refusal, resolved, settings_of, write_config
from tests.stand_in import write_safetensors

MODEL_KEY = "pretrained_model_name_or_path"


def test_an_unknown_key_is_refused_with_its_line_and_a_suggestion(tmp_path: Path) -> None:
    _, problems = resolved(tmp_path, {"learning_rat": 1e-4, "seed": 1})
    problem = only(problems)
    assert problem.code == "config.key.unknown"
    assert exit_code_of(problems) is ExitCode.CONFIG
    assert problem.message == "config.json line 3: unknown key `learning_rat`; did you mean `learning_rate`?"
    assert problem.where == "config.json line 3: learning_rat"
    assert "`learning_rate`" in problem.fix


def test_an_option_of_a_sibling_script_is_named_as_such(tmp_path: Path) -> None:
    problem = only(resolved(tmp_path, {"cache_text_encoder_outputs": True})[1])
    assert problem.code == "config.key.unknown"
    assert "belongs to sdxl" in problem.message
    assert "family" in problem.fix


@pytest.mark.parametrize("key", sorted(RESERVED))
def test_what_is_our_own_business_cannot_be_set(tmp_path: Path, key: str) -> None:
    problem = only(resolved(tmp_path, {key: "x"})[1])
    assert problem.code == "config.key.reserved"
    assert f"`{key}`" in problem.message
    assert RESERVED[key] in problem.message
    assert problem.fix == "Take it out."


def test_every_reserved_key_and_no_other_is_an_option_of_the_trainer_that_could_be_written() -> None:
    assert set(RESERVED) <= set(load_manifest().options_of[BASE_SCRIPT])


def test_a_value_that_is_refused_names_its_line_and_its_fix(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, {"resolution": 512})
    problem = only(problems)
    assert problem.code == "config.value"
    assert problem.message == "config.json line 3: `resolution` takes a text, not 512."
    assert problem.fix == 'Write it in quotes: `"512"`.'
    assert settings.options["resolution"].source == DEFAULT


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    values = {"network_dim": "big", "flip_aug": "true", "nonsense_key": 1, "in_json": "x", MODEL_KEY: "missing.ckpt"}
    _, problems = resolved(tmp_path, values)
    assert [problem.code for problem in problems] == [
        "config.value",
        "config.value",
        "config.key.unknown",
        "config.key.reserved",
        "config.model.missing",
    ]


def test_every_value_knows_its_source(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, {"network_dim": 4, "seed": 1}, [("seed", 2), ("clip_skip", "2")])
    assert problems == ()
    sources = {name: settings.options[name].source for name in ("network_dim", "seed", "clip_skip", "network_alpha")}
    assert sources == {
        "network_dim": "config.json",
        "seed": COMMAND_LINE,
        "clip_skip": COMMAND_LINE,
        "network_alpha": DEFAULT,
    }
    assert (settings["network_dim"], settings["seed"], settings["clip_skip"]) == (4, 2, 2)
    assert settings.where("network_dim") == "config.json line 3: network_dim"
    assert settings.where("seed") == "--set seed"
    assert settings.where("network_alpha") == "network_alpha (default)"
    assert settings.where("vae") == "vae"
    assert settings["vae"] is None


def test_a_problem_of_the_command_line_names_the_flag(tmp_path: Path) -> None:
    problem = only(resolved(tmp_path, {}, [("network_dim", "x")])[1])
    assert problem.where == "--set network_dim"
    assert problem.message.startswith("--set network_dim: `network_dim` takes a whole number")


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("key", ["network_dim", "caption_extension", "train_data_dir", "vae", "flip_aug", "family"])
def test_null_and_the_empty_text_mean_unset(tmp_path: Path, key: str, nothing: Any) -> None:
    with_nothing, problems = resolved(tmp_path, {key: nothing})
    assert problems == ()
    assert with_nothing[key] == settings_of(tmp_path)[key]
    assert with_nothing.family == settings_of(tmp_path).family


def test_the_schema_key_of_editors_is_allowed(tmp_path: Path) -> None:
    assert "$schema" not in settings_of(tmp_path, {"$schema": "./schema.json"}).options


# --- defaults -------------------------------------------------------------------------------------------------------


def test_every_default_stands_in_the_settings_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for default in DEFAULTS:
        setting = settings.options[default.name]
        assert setting.source == DEFAULT
        if not default.name.endswith("_dir"):
            assert setting.value == default.value
    assert settings["network_module"] == "networks.lora"
    assert settings["output_name"] == "cats"


_SAYING_IT = {
    "use_8bit_adam": True,
    "use_lion_optimizer": True,
    "lr_scheduler_type": "x.Y",
    "max_train_steps": 100,
    "color_aug": True,
    "random_crop": True,
    "xformers": True,
    "mem_eff_attn": True,
    "save_every_n_steps": 10,
    "save_n_epoch_ratio": 3,
}
_UNLESS = [(default.name, other) for default in DEFAULTS for other in default.unless]


@pytest.mark.parametrize(("name", "other"), _UNLESS)
def test_a_default_gives_way_to_what_says_the_same(tmp_path: Path, name: str, other: str) -> None:
    settings = settings_of(tmp_path, {other: _SAYING_IT[other]})
    assert settings[name] is None
    assert settings[other] == _SAYING_IT[other]


@pytest.mark.parametrize(
    ("name", "other"), [(name, other) for name, other in _UNLESS if isinstance(_SAYING_IT[other], bool)]
)
def test_a_default_stays_when_the_other_is_off(tmp_path: Path, name: str, other: str) -> None:
    assert settings_of(tmp_path, {other: False})[name] is not None


def test_a_value_of_the_user_stays_beside_what_says_the_same(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"max_train_steps": 100, "max_train_epochs": 2})
    assert (settings["max_train_steps"], settings["max_train_epochs"]) == (100, 2)


@pytest.mark.parametrize("key", ["caption_extension", "caption_extention"])
@pytest.mark.parametrize(("value", "expected"), [("txt", ".txt"), (".caption", ".caption")])
def test_an_extension_without_its_dot_gets_one(tmp_path: Path, key: str, value: str, expected: str) -> None:
    assert settings_of(tmp_path, {key: value})[key] == expected


# --- family ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "family", "v2"),
    [
        ({}, "sd15", None),
        ({"v2": False}, "sd15", False),
        ({"v2": True}, "sd2", True),
        ({"family": "sd2"}, "sd2", True),
        ({"family": "sd2", "v2": True}, "sd2", True),
        ({"family": "sd15"}, "sd15", None),
    ],
)
def test_the_family_is_named_or_found_from_v2(
    tmp_path: Path, values: dict[str, Any], family: str, v2: bool | None
) -> None:
    settings = settings_of(tmp_path, values)
    assert settings.family is FAMILIES[family]
    assert settings["v2"] is v2


@pytest.mark.parametrize("values", [{"family": "sd15", "v2": True}, {"family": "sd2", "v2": False}])
def test_a_family_that_contradicts_v2_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    try:
        problems = resolved(tmp_path, values)[1]
    except ConfigError as error:
        problems = error.problems
    assert exit_code_of(problems) is ExitCode.CONFIG
    assert "v2" in only(problems).message


@pytest.mark.parametrize("family", ["sd 1.5", 15, True, ["sd15"], {"name": "sd15"}])
def test_an_unknown_family_is_refused(tmp_path: Path, family: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolved(tmp_path, {"family": family})
    problem = refusal(caught.value, ConfigError, "config.family", "config.json line 3", repr(family), "sd15, sd2")
    assert '"family": "sd15"' in problem.fix


# --- paths ----------------------------------------------------------------------------------------------------------


def test_paths_count_from_the_configs_folder(odd_path: Path) -> None:
    folder = odd_path / "sub"
    settings = settings_of(folder, {"output_dir": "out/lora", "logging_dir": "../log", "vae": MODEL})
    assert settings[MODEL_KEY] == str(folder / MODEL)
    assert settings["vae"] == str(folder / MODEL)
    assert settings.path("output_dir") == folder / "out" / "lora"
    assert settings.path("logging_dir").resolve() == (odd_path / "log").resolve()
    assert settings.path("train_data_dir") == folder / "image_dir"


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    assert settings_of(tmp_path / "a", {"output_dir": str(tmp_path / "b")})["output_dir"] == str(tmp_path / "b")


def test_a_config_named_from_the_current_folder_has_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The trainer runs in a folder of its own: a relative path would be looked for there.
    write_config(tmp_path / "sub", {"output_dir": "out"})
    monkeypatch.chdir(tmp_path)
    settings, problems = resolve(read_config(Path("sub/config.json")), project_name="cats")
    assert problems == ()
    assert settings["output_dir"] == str(tmp_path / "sub" / "out")
    assert settings[MODEL_KEY] == str(tmp_path / "sub" / MODEL)


def test_a_tilde_is_the_home_folder(tmp_path: Path) -> None:
    home = Path(os.environ["HOME"])
    write_safetensors(home / "base.safetensors", {"a": [1.0]})
    settings = settings_of(tmp_path, {MODEL_KEY: "~/base.safetensors", "output_dir": "~/loras"})
    assert settings[MODEL_KEY] == str(home / "base.safetensors")
    assert settings["output_dir"] == str(home / "loras")


def test_a_tilde_that_no_home_folder_belongs_to_is_part_of_the_name(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"output_dir": "~nobody-of-this-name/loras"})
    assert settings["output_dir"] == str(tmp_path / "~nobody-of-this-name" / "loras")


@pytest.mark.parametrize("text", [r"models\base.safetensors", r".\models\base.safetensors", r"models/base.safetensors"])
def test_a_path_with_backslashes_is_understood(tmp_path: Path, text: str) -> None:
    (tmp_path / "models").mkdir()
    write_safetensors(tmp_path / "models" / "base.safetensors", {"a": [1.0]})
    settings = settings_of(tmp_path, {MODEL_KEY: text, "base_weights": [text]})
    assert Path(settings[MODEL_KEY]) == tmp_path / "models" / "base.safetensors"
    assert [Path(item) for item in settings["base_weights"]] == [tmp_path / "models" / "base.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="a backslash cannot be part of a name there")
def test_a_name_that_really_has_a_backslash_is_kept(tmp_path: Path) -> None:
    write_safetensors(tmp_path / r"a\b.safetensors", {"a": [1.0]})
    assert settings_of(tmp_path, {MODEL_KEY: r"a\b.safetensors"})[MODEL_KEY] == str(tmp_path / r"a\b.safetensors")


# --- the base model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["runwayml/stable-diffusion-v1-5", "a.b/c_d-e.1"])
def test_a_model_of_the_hub_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    assert settings_of(tmp_path, {MODEL_KEY: name})[MODEL_KEY] == name


def test_a_folder_that_exists_comes_before_a_model_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "models" / "sd15").mkdir(parents=True)
    assert settings_of(tmp_path, {MODEL_KEY: "models/sd15"})[MODEL_KEY] == str(tmp_path / "models" / "sd15")


@pytest.mark.parametrize("value", [None, ""])
def test_a_config_without_a_model_says_the_line_to_write(tmp_path: Path, value: Any) -> None:
    problem = only(resolved(tmp_path, {MODEL_KEY: value})[1])
    assert problem.code == "config.model.missing"
    assert problem.where == MODEL_KEY
    assert f'"{MODEL_KEY}": "' in problem.fix


@pytest.mark.parametrize(
    "name", ["missing.safetensors", "models/missing.ckpt", "a/b/c", "/missing/x", "./missing", "../missing", "missing"]
)
def test_a_model_that_does_not_exist_is_an_error(tmp_path: Path, name: str) -> None:
    problem = only(resolved(tmp_path, {MODEL_KEY: name})[1])
    assert problem.code == "config.model.missing"
    assert name.lstrip("./") in problem.message
    assert problem.where == f"config.json line 2: {MODEL_KEY}"
    assert MODEL_KEY in problem.fix


def test_a_model_whose_name_no_system_takes_is_an_error(tmp_path: Path) -> None:
    assert only(resolved(tmp_path, {MODEL_KEY: "x" * 5000})[1]).code == "config.model.missing"


def test_a_vae_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    problem = only(resolved(tmp_path, {"vae": "missing.vae.pt"})[1])
    assert problem.code == "config.vae.missing"
    assert str(tmp_path / "missing.vae.pt") in problem.message
    assert problem.where == "config.json line 3: vae"
    assert "vae" in problem.fix


def test_a_vae_of_the_hub_is_left_as_it_is(tmp_path: Path) -> None:
    # `load_vae` of the trainer gives everything that is no file to Diffusers.
    assert settings_of(tmp_path, {"vae": "stabilityai/sd-vae-ft-mse"})["vae"] == "stabilityai/sd-vae-ft-mse"


# --- our own block --------------------------------------------------------------------------------------------------


def test_the_block_is_read(tmp_path: Path) -> None:
    block = settings_of(tmp_path, {"kohyatpl": {"launch": {"processes": 2, "threads": 4}, "env": {"A": "b"}}}).block
    assert (block.launch.processes, block.launch.threads, block.env) == (2, 4, {"A": "b"})


@pytest.mark.parametrize("block", [None, {}, {"launch": {}}])
def test_an_empty_block_means_the_defaults(tmp_path: Path, block: Any) -> None:
    assert settings_of(tmp_path, {"kohyatpl": block}).block == settings_of(tmp_path).block


@pytest.mark.parametrize(
    ("text", "code", "line", "named"),
    [
        ('{\n"lunch": {}}', "config.key.unknown", 3, "`kohyatpl.lunch`"),
        ('{"launch":\n {\n "proceses": 2}}', "config.key.unknown", 4, "`kohyatpl.launch.proceses`"),
        ('{"launch":\n {"processes": 0}}', "config.value", 3, "`kohyatpl.launch.processes`"),
        ('{"launch":\n {"processes": 65}}', "config.value", 3, "`kohyatpl.launch.processes`"),
        ('{"launch":\n {"processes": "2"}}', "config.value", 3, "`kohyatpl.launch.processes`"),
        ('{"launch":\n {"processes": 1.5}}', "config.value", 3, "`kohyatpl.launch.processes`"),
        ('{"launch":\n {"threads": 0}}', "config.value", 3, "`kohyatpl.launch.threads`"),
        ('{"launch": 2}', "config.value", 2, "`kohyatpl.launch`"),
        ('{\n"env": {"A": 1}}', "config.value", 3, "`kohyatpl.env.A`"),
        ("5", "config.value", 2, "`kohyatpl`"),
    ],
)
def test_a_mistake_in_the_block_is_named_with_its_line(
    tmp_path: Path, text: str, code: str, line: int, named: str
) -> None:
    write_safetensors(tmp_path / MODEL, {"a": [1.0]})
    path = tmp_path / "config.json"
    path.write_text(f'{{"{MODEL_KEY}": "{MODEL}",\n"kohyatpl": {text}}}', encoding="utf-8")
    problem = only(resolve(read_config(path), project_name="cats")[1])
    assert problem.code == code
    assert problem.message.startswith(f"config.json line {line}: ")
    assert named in problem.message
    assert problem.where.startswith(f"config.json line {line}: kohyatpl")
    assert "launch, env" in problem.fix


def test_a_mistake_in_a_block_of_the_command_line_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    problem = only(resolved(tmp_path, {"kohyatpl": {}}, [("kohyatpl", {"lunch": {}})])[1])
    assert "--set kohyatpl" in problem.where
    assert "config.json" not in problem.message


@pytest.mark.parametrize("env", [{"A=B": "x"}, {"": "x"}, {"A": "x\0y"}, {"A\0": "x"}])
def test_an_environment_variable_that_no_system_takes_is_refused(tmp_path: Path, env: dict[str, str]) -> None:
    problem = only(resolved(tmp_path, {"kohyatpl": {"env": env}})[1])
    assert problem.code == "config.value"
    assert "kohyatpl.env" in problem.where


# --- --set ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flip_aug=true", ("flip_aug", True)),
        ("vae=null", ("vae", None)),
        ("output_name=my lora", ("output_name", "my lora")),
        ("resolution=512,768", ("resolution", "512,768")),
        ('resolution="512"', ("resolution", "512")),
        ('kohyatpl={"launch": {"processes": 2}}', ("kohyatpl", {"launch": {"processes": 2}})),
        ("output_name=a=b", ("output_name", "a=b")),
        ('network_args=["a=1"]', ("network_args", ["a=1"])),
        ("vae=", ("vae", "")),
        # `false` leaves these unset; of any other option that takes a text it is the text.
        ("metadata_tags=false", ("metadata_tags", False)),
        ("save_precision=false", ("save_precision", False)),
        ("metadata_title=false", ("metadata_title", "false")),
    ],
)
def test_an_assignment_is_taken_apart(text: str, expected: tuple[str, Any]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["seed", "", "=1"])
def test_an_assignment_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_assignment(text)
    problem = refusal(caught.value, UsageError, "usage.set", f"`--set {text}`")
    assert "--set learning_rate=1e-4" in problem.fix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=1", 1),
        ("learning_rate=1e-4", 1e-4),
        ("flip_aug=true", True),
        ("text_encoder_lr=[1e-5, 2e-5]", [1e-5, 2e-5]),
        ("resolution=512,768", "512,768"),
        # A shell takes quotes away: `--set resolution="512"` arrives like this.
        ("resolution=512", "512"),
        ("metadata_title=007", "007"),
        ("metadata_title=1.50", "1.50"),
    ],
)
def test_an_assignment_becomes_what_the_option_takes(tmp_path: Path, text: str, expected: Any) -> None:
    settings, problems = resolved(tmp_path, {}, [parse_assignment(text)])
    assert problems == ()
    value = settings[text.partition("=")[0]]
    assert (value, type(value)) == (expected, type(expected))


def test_settings_can_be_made_without_a_file() -> None:
    settings, problems = resolve(RawConfig(Path("config.json"), {}, {}), project_name="cats")
    assert [problem.code for problem in problems] == ["config.model.missing"]
    assert settings["output_name"] == "cats"
