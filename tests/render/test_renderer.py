"""The trainer's files, its command and its environment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toml

from loratpl.config.reading import read_config
from loratpl.config.settings import resolve
from loratpl.dataset.scan import scan
from loratpl.errors import ConfigError
from loratpl.plan.planner import make_plan
from loratpl.process import child_environment
from loratpl.project import RunPaths, open_project
from loratpl.render.prepare import Prepared, load_settings, prepare
from loratpl.render.renderer import BASE_ENV, RenderedRun, render, write
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.paths import TrainerPaths
from tests.given import refusal
from tests.stand_in import StandIn, make_trainable_project, write_picture

TRAINER = TrainerPaths(Path("/opt/sd-scripts/48d368fa"))


def _rendered(folder: Path, **changes: Any) -> tuple[RenderedRun, Prepared, RunPaths]:
    root = make_trainable_project(folder / "project", **changes)
    prepared, paths = prepare(open_project(root)), RunPaths(folder / "run")
    return render(prepared.settings, prepared.plan, TRAINER, paths), prepared, paths


def _written(folder: Path, **changes: Any) -> tuple[RenderedRun, Prepared, RunPaths]:
    rendered, prepared, paths = _rendered(folder, **changes)
    write(rendered, prepared.settings, paths)
    return rendered, prepared, paths


def test_the_files_of_a_run_are_what_the_trainer_reads(odd_path: Path) -> None:
    rendered, _, paths = _written(odd_path, network_args=["conv_dim=4"], learning_rate="1e-5", flip_aug=True)
    assert toml.load(paths.train_toml_path) == dict(rendered.options)
    assert toml.load(paths.dataset_toml_path) == dict(rendered.dataset)
    assert rendered.options["learning_rate"] == 1e-5
    assert rendered.options["network_args"] == ["conv_dim=4"]
    assert rendered.options["logging_dir"] == str(paths.tensorboard_dir)
    assert sorted(path.name for path in paths.run_dir.iterdir()) == [
        "command.txt",
        "config.json",
        "dataset.toml",
        "train.toml",
    ]


def test_the_datasets_file_holds_the_folders_and_the_options_that_decide_about_buckets(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", train_batch_size=3, caption_extension="caption")
    (root / "reg_dir" / "2_cat").mkdir()
    write_picture(root / "reg_dir" / "2_cat" / "1.png")
    prepared = prepare(open_project(root))
    rendered = render(prepared.settings, prepared.plan, TRAINER, RunPaths(tmp_path / "run"))
    common = {"caption_extension": ".caption"}
    assert dict(rendered.dataset) == {
        "datasets": [
            {
                "resolution": [64, 64],
                "batch_size": 3,
                "enable_bucket": True,
                "min_bucket_reso": 64,
                "max_bucket_reso": 1024,
                "bucket_reso_steps": 64,
                "bucket_no_upscale": False,
                "subsets": [
                    {
                        "image_dir": str(root / "image_dir" / "1_ohwx cat"),
                        "num_repeats": 1,
                        "class_tokens": "ohwx cat",
                        "is_reg": False,
                        **common,
                    },
                    {
                        "image_dir": str(root / "reg_dir" / "2_cat"),
                        "num_repeats": 2,
                        "class_tokens": "cat",
                        "is_reg": True,
                        **common,
                    },
                ],
            }
        ]
    }
    assert not {"train_data_dir", "reg_data_dir"} & set(rendered.options)


def test_the_misspelt_extension_wins_as_it_does_in_the_trainer(tmp_path: Path) -> None:
    rendered, _, _ = _rendered(tmp_path, caption_extention="cap", caption_extension="txt")
    assert rendered.dataset["datasets"][0]["subsets"][0]["caption_extension"] == ".cap"


def test_a_flag_that_is_off_is_not_written(tmp_path: Path) -> None:
    rendered, _, _ = _rendered(tmp_path, flip_aug=False, color_aug=False, keep_tokens=0)
    assert not {"flip_aug", "color_aug"} & set(rendered.options)
    assert rendered.options["keep_tokens"] == 0
    assert False not in [value for value in rendered.options.values() if isinstance(value, bool)]


@pytest.mark.parametrize(
    ("value", "processes", "steps"), [(0.1, 1, 3), ("0.5", 1, 18), (0.1, 2, 7), (7, 1, 7), (0.0, 1, 0)]
)
def test_a_warm_up_given_as_a_share_is_written_in_steps(tmp_path: Path, value: Any, processes: int, steps: int) -> None:
    changes = {"max_train_steps": 36, "lr_scheduler": "cosine", "lr_warmup_steps": value}
    root = make_trainable_project(tmp_path / "project", kohyatpl={"launch": {"processes": processes}}, **changes)
    settings, _ = load_settings(open_project(root), None)
    plan = make_plan(scan(settings.path("train_data_dir"), None), settings)
    written = render(settings, plan, TRAINER, RunPaths(tmp_path / "run")).options["lr_warmup_steps"]
    assert (written, type(written)) == (steps, int)


def test_the_config_of_a_run_resolves_to_the_same_run(odd_path: Path) -> None:
    rendered, prepared, paths = _written(odd_path, text_encoder_lr="1e-5", vae=None, v2=False)
    again, problems = resolve(read_config(paths.config_path), project_name="another")
    assert problems == ()
    assert {name: setting.value for name, setting in again.options.items()} == {
        name: setting.value for name, setting in prepared.settings.options.items()
    }
    assert (again.family, again.block) == (prepared.settings.family, prepared.settings.block)
    assert render(again, prepared.plan, TRAINER, paths) == rendered


def test_one_process_is_started_directly(odd_path: Path) -> None:
    rendered, _, paths = _rendered(odd_path)
    assert rendered.argv == (
        str(TRAINER.python_path),
        str(INSIDE_DIR / "entry.py"),
        "--events",
        str(paths.events_path),
        "--state-dir",
        str(paths.state_dir),
        "--save-state-every-s",
        "600",
        str(TRAINER.source_dir / "train_network.py"),
        "--config_file",
        str(paths.train_toml_path),
        "--dataset_config",
        str(paths.dataset_toml_path),
    )
    assert rendered.cwd == TRAINER.source_dir
    assert rendered.env["ACCELERATE_MIXED_PRECISION"] == rendered.options["mixed_precision"]
    assert rendered.env["ACCELERATE_DYNAMO_BACKEND"] == "NO"


def _launch_options(folder: Path, run_name: str) -> dict[str, str]:
    """The options of accelerate's launcher for a run of four processes, whatever GPUs this machine has."""
    root = make_trainable_project(folder / "project", mixed_precision="bf16", kohyatpl={"launch": {"processes": 4}})
    settings, _ = load_settings(open_project(root), None)
    plan = make_plan(scan(settings.path("train_data_dir"), None), settings)
    rendered = render(settings, plan, TRAINER, RunPaths(folder / run_name))
    assert rendered.argv[:4] == (str(TRAINER.python_path), "-m", "accelerate.commands.launch", "--multi_gpu")
    assert not any(name.startswith("ACCELERATE_") for name in rendered.env)
    launcher = rendered.argv[4 : rendered.argv.index(str(INSIDE_DIR / "entry.py"))]
    return dict(zip(launcher[::2], launcher[1::2], strict=True))


def test_several_processes_go_through_accelerate(tmp_path: Path) -> None:
    options = _launch_options(tmp_path / "a", "run")
    assert (options["--num_processes"], options["--mixed_precision"]) == ("4", "bf16")


def test_two_runs_of_several_processes_do_not_meet_at_one_port(tmp_path: Path) -> None:
    ports = [int(_launch_options(tmp_path / str(number), "run")["--main_process_port"]) for number in range(3)]
    assert len(set(ports)) == 3
    assert all(1024 < port < 32768 for port in ports)  # Linux hands out the ports from 32768 on by itself


def test_the_environment_is_ours_and_then_the_configs(tmp_path: Path) -> None:
    block = {"launch": {"threads": 3}, "env": {"COLUMNS": "80", "EXTRA": "ñ 'x'"}}
    rendered, _, _ = _rendered(tmp_path, kohyatpl=block)
    assert rendered.env["OMP_NUM_THREADS"] == "3"
    assert (rendered.env["COLUMNS"], rendered.env["EXTRA"]) == ("80", "ñ 'x'")
    assert {name: rendered.env[name] for name in BASE_ENV if name != "COLUMNS"} == {
        name: value for name, value in BASE_ENV.items() if name != "COLUMNS"
    }


@pytest.mark.parametrize("is_tiny", [True, False])
def test_the_tiny_unet_is_asked_for_by_a_flag_of_the_entry(tmp_path: Path, *, is_tiny: bool) -> None:
    rendered, _, _ = _rendered(tmp_path, kohyatpl={"launch": {"tiny_unet": is_tiny}})
    assert ("--tiny-unet" in rendered.argv) is is_tiny


def test_a_run_as_other_programs_read_it(tmp_path: Path) -> None:
    rendered, _, _ = _rendered(tmp_path)
    data = json.loads(json.dumps(rendered.as_json()))
    assert set(data) == {"family", "script", "options", "dataset", "argv", "env"}
    assert (data["family"], data["script"]) == ("sd15", "train_network.py")
    assert data["argv"] == list(rendered.argv)


@pytest.mark.skipif(sys.platform == "win32", reason="the command is for a POSIX shell")
def test_the_command_can_be_pasted_into_a_shell(odd_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(odd_path / "project", kohyatpl={"env": {"STAND_IN_STEP_S": "0", "EXTRA": "a 'b' $c"}})
    prepared, paths = prepare(open_project(root)), RunPaths(odd_path / "run")
    rendered = render(prepared.settings, prepared.plan, stand_in.paths, paths)
    write(rendered, prepared.settings, paths)
    words = shlex.split(paths.command_path.read_text(encoding="utf-8"))
    assert words[:3] == ["cd", str(stand_in.paths.source_dir), "&&"]
    assert "EXTRA=a 'b' $c" in words
    done = subprocess.run(
        ["sh", str(paths.command_path)],
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, (root / "output" / "lora.safetensors").is_file()) == (0, True), done.stderr


def test_a_text_that_the_trainer_would_misread_is_a_config_error(tmp_path: Path) -> None:
    rendered, prepared, paths = _rendered(tmp_path, metadata_title="two\nlines")
    with pytest.raises(ConfigError) as caught:
        write(rendered, prepared.settings, paths)
    problem = refusal(
        caught.value, ConfigError, "config.value", "config.json line", "metadata_title", repr("two\nlines")
    )
    assert "control characters" in problem.fix
    assert not paths.run_dir.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="such a name cannot be made there")
@pytest.mark.parametrize("name", [b"1_two\nlines", b"1_caf\xe9"])
def test_a_folder_whose_name_the_trainer_would_misread_is_a_config_error(tmp_path: Path, name: bytes) -> None:
    root = make_trainable_project(tmp_path / "project")
    (root / "image_dir" / "1_ohwx cat").rename(root / "image_dir" / os.fsdecode(name))
    prepared, paths = prepare(open_project(root)), RunPaths(tmp_path / "run")
    rendered = render(prepared.settings, prepared.plan, TRAINER, paths)
    with pytest.raises(ConfigError) as caught:
        write(rendered, prepared.settings, paths)
    refusal(caught.value, ConfigError, "config.value", "image_dir", "folder name")
    assert not paths.run_dir.exists()


def test_a_run_that_cannot_be_written_says_so_to_its_caller(tmp_path: Path) -> None:
    rendered, prepared, paths = _rendered(tmp_path)
    paths.run_dir.write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError, match="run"):
        write(rendered, prepared.settings, paths)
