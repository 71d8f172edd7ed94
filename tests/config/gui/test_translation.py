"""A config of the kohya_ss GUI: what it means as a whole, and what is said of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.gui.translation import Mapped, Translation, translate
from loratpl.config.reading import RawConfig, read_config
from loratpl.config.setting import COMMAND_LINE, DEFAULT
from loratpl.config.settings import Settings, resolve
from loratpl.errors import Problem
from tests.config.gui.test_keys import FIRST_GENERATION
from tests.given import only, resolved, settings_of, write_config

FILE = "config.json"


def gui(**changed: Any) -> dict[str, Any]:
    """Returns a config as the GUI wrote it; what is None is left out."""
    return {key: value for key, value in {**FIRST_GENERATION, **changed}.items() if value is not None}


def gui_settings(folder: Path, **changed: Any) -> Settings:
    return settings_of(folder, gui(**changed))


def translated(**values: Any) -> Translation:
    return translate(RawConfig(Path(FILE), values, {(key,): line for line, key in enumerate(values, 2)}))


def test_a_config_as_the_gui_wrote_it_is_one(tmp_path: Path) -> None:
    settings = gui_settings(tmp_path)
    expected = {
        "resolution": "512,512",
        "max_train_epochs": 1,
        "lr_warmup_steps": 0.1,
        "lr_scheduler_num_cycles": 1,
        "optimizer_type": "AdamW8bit",
        "text_encoder_lr": [5e-05],
        "unet_lr": 1e-4,
        "bucket_reso_steps": 64,
        "bucket_no_upscale": True,
        "caption_extension": ".caption",
        "seed": 1234,
        "output_name": "cats",
        "reg_data_dir": None,
        "clip_skip": None,
        "keep_tokens": None,
        "max_token_length": None,
        "max_train_steps": None,
        "network_weights": None,
        "use_8bit_adam": None,
    }
    assert {name: settings[name] for name in expected} == expected
    assert settings.block.launch.threads == 2
    assert set(settings.options) & (FIRST_GENERATION.keys() - {"resolution"}) <= settings.options.keys()


def test_every_value_knows_the_key_and_the_line_it_came_from(tmp_path: Path) -> None:
    setting = gui_settings(tmp_path).options["lr_warmup_steps"]
    line = read_config(tmp_path / FILE).lines["lr_warmup",]
    assert (setting.source, setting.where) == (FILE, f"{FILE} line {line}: lr_warmup")
    assert setting.written_as == "lr_warmup"


def test_a_refused_value_is_named_by_the_key_that_was_written(tmp_path: Path) -> None:
    problem = only(resolved(tmp_path, {"epoch": "1.5", "lr_scheduler_num_cycles": ""})[1])
    assert problem.message == f'{FILE} line 3: `epoch` takes a whole number, not "1.5".'
    problem = only(resolved(tmp_path, {"lr_warmup": "ten"})[1])
    assert (problem.code, problem.where) == ("config.value", f"{FILE} line 3: lr_warmup")
    assert problem.message.startswith(f"{FILE} line 3: `lr_warmup` takes a percentage")


def test_a_config_without_keys_of_the_gui_means_what_it_says() -> None:
    values = {"clip_skip": 1, "keep_tokens": 0, "use_8bit_adam": True, "unet_lr": 0, "caption_extension": ""}
    translation = translated(**values)
    assert not translation.is_gui
    assert {key: entry.value for key, entry in translation.entries.items()} == values
    assert translation.mapping == tuple(Mapped(key, key, value) for key, value in values.items())


def test_a_key_of_the_gui_is_understood_on_the_command_line_of_any_config(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, {"max_train_epochs": 5, "clip_skip": 1}, [("epoch", 3), ("lr_warmup", 50)])
    assert problems == ()
    assert (settings["max_train_epochs"], settings["clip_skip"], settings["lr_warmup_steps"]) == (3, 1, 0.5)
    assert settings.options["max_train_epochs"].source == COMMAND_LINE


def test_a_key_of_the_gui_on_the_command_line_makes_no_gui_config_of_the_file(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, {"text_encoder_lr": 1e-5, "unet_lr": ""}, [("epoch", 3)])
    assert problems == ()
    assert settings["network_train_text_encoder_only"] is None


# --- how long to train


@pytest.mark.parametrize(
    ("values", "epochs", "steps"),
    [
        ({"epoch": "7"}, 7, None),
        ({"epoch": 7, "max_train_epochs": "0"}, 7, None),
        ({"epoch": "7", "max_train_epochs": "7.0"}, 7, None),
        ({"epoch": "1", "max_train_epochs": "3"}, 3, None),
        ({"epoch": "7", "max_train_steps": "100"}, None, 100),
        ({"epoch": "7", "max_train_steps": 0}, 7, None),
    ],
)
def test_the_length_is_the_one_the_trainer_would_take(
    tmp_path: Path, values: dict[str, Any], epochs: int | None, steps: int | None
) -> None:
    settings = settings_of(tmp_path, values)
    assert (settings["max_train_epochs"], settings["max_train_steps"]) == (epochs, steps)


def test_a_number_of_epochs_that_has_no_effect_is_said(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, {"epoch": "7", "max_train_epochs": "3"})
    problem = only(problems)
    assert settings["max_train_epochs"] == 3
    assert (problem.code, problem.severity, problem.where) == (
        "config.steps.ignored",
        "warning",
        f"{FILE} line 3: epoch",
    )


def test_the_command_line_says_last_how_long(tmp_path: Path) -> None:
    assert resolved(tmp_path, gui(max_train_epochs="3"), [("epoch", 9)])[0]["max_train_epochs"] == 9
    assert resolved(tmp_path, gui(epoch="3"), [("max_train_epochs", 9)])[0]["max_train_epochs"] == 9
    settings = resolved(tmp_path, gui(epoch="3"), [("max_train_steps", 9)])[0]
    assert (settings["max_train_epochs"], settings["max_train_steps"]) == (None, 9)


# --- rates, warm-up, optimiser


@pytest.mark.parametrize("off", ["", "0", 0, 0.0])
def test_a_rate_of_zero_trains_the_other_part_alone(tmp_path: Path, off: Any) -> None:
    unet_only = gui_settings(tmp_path / "a", text_encoder_lr=off)
    assert (unet_only["network_train_unet_only"], unet_only["text_encoder_lr"]) == (True, None)
    assert unet_only["unet_lr"] == 1e-4
    text_encoder_only = gui_settings(tmp_path / "b", unet_lr=off)
    assert (text_encoder_only["network_train_text_encoder_only"], text_encoder_only["unet_lr"]) == (True, None)


def test_two_rates_of_zero_mean_the_learning_rate(tmp_path: Path) -> None:
    settings = gui_settings(tmp_path, text_encoder_lr="", unet_lr="0", learning_rate="3e-4")
    assert settings["learning_rate"] == 3e-4
    for name in ("text_encoder_lr", "unet_lr", "network_train_unet_only", "network_train_text_encoder_only"):
        assert settings[name] is None


@pytest.mark.parametrize("rate", ["", "0", None])
def test_no_rate_at_all_is_an_error(tmp_path: Path, rate: str | None) -> None:
    problem = only(resolved(tmp_path, gui(text_encoder_lr="", unet_lr="", learning_rate=rate))[1])
    assert (problem.code, problem.severity) == ("config.value", "error")
    assert "nothing would be learnt" in problem.message


def test_a_rate_of_the_command_line_trains_that_part_again(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, gui(text_encoder_lr=""), [("text_encoder_lr", "1e-5")])
    assert problems == ()
    assert (settings["network_train_unet_only"], settings["text_encoder_lr"]) == (None, [1e-5])


def test_a_rate_that_is_left_out_is_no_zero(tmp_path: Path) -> None:
    settings = gui_settings(tmp_path, text_encoder_lr=None, unet_lr=None)
    assert (settings["network_train_unet_only"], settings["network_train_text_encoder_only"]) == (None, None)


def test_a_warm_up_under_constant_is_dropped_with_a_warning(tmp_path: Path) -> None:
    settings, problems = resolved(tmp_path, gui(lr_scheduler="constant"))
    problem = only(problems)
    assert settings["lr_warmup_steps"] is None
    assert (problem.code, problem.severity) == ("config.gui.dropped", "warning")
    assert problem.where.endswith(": lr_warmup")
    assert "constant_with_warmup" in problem.fix
    assert resolved(tmp_path, gui(lr_scheduler="constant", lr_warmup="0"))[1] == ()


@pytest.mark.parametrize("use", [False, "", None])
def test_without_8_bit_the_optimiser_is_adamw(tmp_path: Path, use: Any) -> None:
    setting = gui_settings(tmp_path, use_8bit_adam=use).options["optimizer_type"]
    assert (setting.value, setting.source) == ("AdamW", DEFAULT)


@pytest.mark.parametrize(
    ("override", "expected"),
    [(("use_8bit_adam", False), "AdamW"), (("optimizer_type", "Lion"), "Lion"), (("optimizer_type", None), "AdamW")],
)
def test_the_optimiser_can_be_changed_under_either_name(
    tmp_path: Path, override: tuple[str, Any], expected: str
) -> None:
    settings, problems = resolved(tmp_path, gui(), [override])
    assert (settings["optimizer_type"], problems) == (expected, ())


def test_an_optimiser_of_the_file_stays_where_the_other_name_says_nothing(tmp_path: Path) -> None:
    values = gui(use_8bit_adam=False, optimizer_type="Lion")
    assert settings_of(tmp_path, values)["optimizer_type"] == "Lion"
    assert resolved(tmp_path, values, [("use_8bit_adam", False)])[0]["optimizer_type"] == "Lion"


# --- what is left unset, dropped, or said twice


def test_no_regularisation_images_are_none_even_beside_a_folder_of_that_name(tmp_path: Path) -> None:
    for name in ("reg_dir", "None"):
        (tmp_path / name).mkdir()
    settings = gui_settings(tmp_path)
    assert settings["reg_data_dir"] is None
    assert not settings.path("reg_data_dir").is_dir()
    assert settings_of(tmp_path, gui(reg_data_dir=None)).path("reg_data_dir") == tmp_path / "reg_dir"


def test_what_the_gui_left_to_the_trainer_gets_no_default_of_ours(tmp_path: Path) -> None:
    settings = gui_settings(tmp_path, save_every_n_epochs="", save_precision="")
    assert not {"save_every_n_epochs", "save_precision"} & settings.options.keys()
    assert gui_settings(tmp_path, save_every_n_epochs=None)["save_every_n_epochs"] == 1


@pytest.mark.parametrize(
    ("key", "value", "instead"),
    [
        ("stop_text_encoder_training", 50, "text_encoder_lr"),
        ("stop_text_encoder_training", -1, "text_encoder_lr"),
        ("no_token_padding", True, "pads"),
    ],
)
def test_what_has_no_counterpart_is_said_with_what_to_use_instead(
    tmp_path: Path, key: str, value: Any, instead: str
) -> None:
    problem = only(resolved(tmp_path, gui(**{key: value}))[1])
    assert (problem.code, problem.severity) == ("config.gui.dropped", "warning")
    assert problem.where.endswith(f": {key}")
    assert f"`{key}`" in problem.message
    assert instead in problem.fix


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"max_resolution": "512,512", "resolution": "768"}, "resolution"),
        ({"lora_network_weights": "a.safetensors", "network_weights": "b.safetensors"}, "network_weights"),
        ({"lr_warmup": "10", "lr_warmup_steps": 50}, "lr_warmup_steps"),
        ({"use_8bit_adam": True, "optimizer_type": "AdamW", "epoch": 1}, "optimizer_type"),
        (
            {"text_encoder_lr": "", "unet_lr": 1, "network_train_unet_only": False, "epoch": 1},
            "network_train_unet_only",
        ),
    ],
)
def test_two_names_of_one_thing_with_different_values_are_an_error(
    tmp_path: Path, values: dict[str, Any], option: str
) -> None:
    for order in (values, dict(reversed(values.items()))):
        raw = read_config(write_config(tmp_path, order))
        problem = only(resolve(raw, project_name="cats")[1])
        assert (problem.code, problem.severity) == ("config.gui.conflict", "error")
        names = [key for key in order if key == option or GUI_NAMES.get(key) == option]
        assert len(names) == 2
        for name in names:
            assert raw.where(name) in problem.message


GUI_NAMES = {
    "max_resolution": "resolution",
    "lora_network_weights": "network_weights",
    "lr_warmup": "lr_warmup_steps",
    "use_8bit_adam": "optimizer_type",
    "text_encoder_lr": "network_train_unet_only",
}


@pytest.mark.parametrize(
    "values",
    [
        {"max_resolution": "512,512", "resolution": "512"},
        {"max_resolution": "512", "resolution": ""},
        {"lr_warmup": "10", "lr_warmup_steps": 0.1},
        {"lr_warmup": "10", "lr_warmup_steps": 0},
        {"num_cpu_threads_per_process": 4, "kohyatpl": {"launch": {"threads": 4}}},
    ],
)
def test_two_names_of_one_thing_may_say_the_same(tmp_path: Path, values: dict[str, Any]) -> None:
    assert resolved(tmp_path, values)[1] == ()


def test_the_command_line_wins_under_either_name(tmp_path: Path) -> None:
    for name in ("resolution", "max_resolution"):
        settings, problems = resolved(tmp_path, gui(), [(name, "256")])
        assert (settings["resolution"], problems) == ("256", ())


@pytest.mark.parametrize(
    ("block", "threads", "processes"),
    [(None, 8, 1), ({}, 8, 1), ({"launch": {"processes": 2}}, 8, 2), ({"launch": {"threads": 8}}, 8, 1)],
)
def test_the_threads_join_our_own_settings(tmp_path: Path, block: Any, threads: int, processes: int) -> None:
    values = {"num_cpu_threads_per_process": "8", "kohyatpl": block}
    launch = settings_of(tmp_path, values).block.launch
    assert (launch.threads, launch.processes) == (threads, processes)


def test_threads_that_are_said_twice_are_an_error_and_the_command_line_wins(tmp_path: Path) -> None:
    values = {"num_cpu_threads_per_process": 8, "kohyatpl": {"launch": {"threads": 4}}}
    problem = only(resolved(tmp_path, values)[1])
    assert problem.code == "config.gui.conflict"
    assert "kohyatpl.launch.threads" in problem.message
    assert "num_cpu_threads_per_process" in problem.message
    override = ("kohyatpl", {"launch": {"threads": 2}})
    assert resolved(tmp_path, values, [override])[0].block.launch.threads == 2
    assert resolved(tmp_path, values, [("num_cpu_threads_per_process", 3)])[0].block.launch.threads == 3


@pytest.mark.parametrize("block", [5, {"launch": 2}])
def test_a_block_that_is_none_is_refused_beside_threads_too(tmp_path: Path, block: Any) -> None:
    problem = only(resolved(tmp_path, {"num_cpu_threads_per_process": 8, "kohyatpl": block})[1])
    assert (problem.code, "kohyatpl" in problem.message) == ("config.value", True)


def test_a_misspelt_key_of_the_gui_gets_its_suggestion(tmp_path: Path) -> None:
    problem = only(resolved(tmp_path, gui(max_resolutoin="512"))[1])
    assert "did you mean `max_resolution`?" in problem.message


def test_the_mapping_has_a_row_for_every_key() -> None:
    translation = translated(**gui(stop_text_encoder_training=10, text_encoder_lr=""))
    rows = {row.key: row for row in translation.mapping}
    assert list(rows) == list(gui())
    assert rows["lr_warmup"].becomes == "lr_warmup_steps"
    assert rows["lr_warmup"].value == 0.1
    assert rows["text_encoder_lr"].becomes == "network_train_unet_only"
    assert rows["num_cpu_threads_per_process"].becomes == "kohyatpl.launch.threads"
    for dropped in ("model_list", "stop_text_encoder_training"):
        assert (rows[dropped].becomes, rows[dropped].value) == (None, None)
        assert rows[dropped].note
    assert rows["network_dim"] == Mapped("network_dim", "network_dim", 8)


def test_v2_is_the_family_sd2(tmp_path: Path) -> None:
    assert gui_settings(tmp_path, v2=True).family.name == "sd2"


def test_a_config_is_resolved_in_at_most_5_ms(tmp_path: Path) -> None:
    raw = read_config(write_config(tmp_path, gui()))

    def seconds() -> float:
        start = time.perf_counter()
        problems: tuple[Problem, ...] = resolve(raw, project_name="cats")[1]
        assert problems == ()
        return time.perf_counter() - start

    assert min(seconds() for _ in range(20)) < 0.005
