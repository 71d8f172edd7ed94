"""`kohyatpl inspect` as its users have it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import COMMAND, kohyatpl
from tests.report.inspect.made_files import entry, family_lora, lora, raw_file, weights_file
from tests.stand_in import StandIn

METADATA = {
    "ss_network_module": "networks.lora",
    "ss_base_model_version": "sd_v1",
    "ss_steps": "1200",
    "ss_max_train_steps": "1500",
    "ss_epoch": "6",
    "ss_dataset_dirs": json.dumps({"10_ohwx cat": {"n_repeats": 10, "img_count": 12}}),
}


# Runs a command line and says on stderr what it has cost.
COSTS = """
import json, sys, time
from pathlib import Path
from loratpl.ui.main import run
assert run(sys.argv[1:]) == 0
read = int(next(line.split()[1] for line in Path("/proc/self/io").read_text().splitlines() if "rchar" in line))
status = Path("/proc/self/status").read_text()
peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps([time.process_time(), int(peak_kb), read]), file=sys.stderr)
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A LoRA of Stable Diffusion 1."""
    return weights_file(tmp_path / "my lora.safetensors", family_lora("sd15"), METADATA, hashed=True)


def test_a_lora_is_described(odd_path: Path) -> None:
    made = weights_file(odd_path / "it's é.safetensors", family_lora("sd15"), METADATA, hashed=True)
    done = kohyatpl("inspect", made)
    assert (done.code, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    for told in (
        "what LoCon (LoRA with wide convolutions), dim 2, alpha 2, 39 modules",
        "base model Stable Diffusion 1.x", "concepts ohwx cat", "made by sd-scripts, step 1200 of 1500, epoch 6",
        "its tensors are those that the trainer hashed", "not trained the text encoder", "named as sd-scripts does",
        "steps of this file 1200", "concept 10_ohwx cat: 12 images × 10 repeats",
    ):  # fmt: skip
        assert told in text
    assert "trigger" not in text


def test_json_has_everything(made: Path) -> None:
    done = kohyatpl("inspect", made, "--json", "--norms")
    (file,) = done.envelope["data"]["files"]
    assert file["path"] == str(made)
    assert (file["base"]["families"], file["hash"]["state"], file["is_whole"]) == (["sd15"], "equal", True)
    assert file["metadata"]["ss_steps"] == "1200"
    assert len(file["modules"]) == 39
    assert sum(norm["modules"] for norm in file["values"]["norms"]) == 39
    assert file["load"] is None


def test_a_folder_stands_for_its_files_which_are_compared_first(tmp_path: Path) -> None:
    first = weights_file(
        tmp_path / "a-000001.safetensors", family_lora("sd15"), {**METADATA, "modelspec.trigger_phrase": "ohwx"}
    )
    second = weights_file(tmp_path / "b.safetensors", family_lora("flux", dim=8), {"ss_steps": "5"})
    (tmp_path / "notes.txt").touch()
    (tmp_path / "old.ckpt").touch()
    done = kohyatpl("inspect", tmp_path)
    assert (done.code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["file", "network", "for", "dim", "alpha", "steps", "epoch", "size"]
    assert lines[1].split()[:7] == ["a-000001.safetensors", "LoCon", "sd15", "2", "2", "1200", "6"]
    assert lines[2].split()[:5] == ["b.safetensors", "LoRA", "flux", "8", "2"]
    assert done.stdout.index(str(first)) < done.stdout.index(str(second))
    assert "trigger ohwx" in " ".join(lines[4].split() + done.stdout.split())
    assert "steps of this file" not in done.stdout
    assert [Path(f["path"]) for f in kohyatpl("inspect", tmp_path, "--json").envelope["data"]["files"]] == [
        first,
        second,
    ]


def test_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    good = weights_file(tmp_path / "good.safetensors", family_lora("sd15"))
    bad = tmp_path / "old.ckpt"
    bad.write_bytes(pickle.dumps({"a": 1}, 2))
    done = kohyatpl("inspect", bad, good)
    assert done.code == 4
    assert "old.ckpt" in done.stdout.splitlines()[1]
    assert "Stable Diffusion 1.x" in done.stdout
    assert "is not opened" in " ".join(done.stderr.split())


def test_warnings_leave_the_exit_code_alone(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "a.safetensors", lora("lora_unet_x"), {"sshs_model_hash": "0" * 64})
    done = kohyatpl("inspect", path, "--json")
    assert done.code == 0
    assert done.problem["code"] == "project.weights.hash"


def test_quiet_says_only_what_is_wrong(made: Path, tmp_path: Path) -> None:
    done = kohyatpl("inspect", made, raw_file(tmp_path / "a.safetensors", b"[]"), "--quiet")
    assert (done.code, done.stdout) == (4, "")
    assert "is damaged" in done.stderr


def test_a_file_must_be_named() -> None:
    done = kohyatpl("inspect", "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.arguments")


@pytest.mark.parametrize("words", [["--load"], ["--base", "model"]])
def test_load_and_base_go_together(words: list[str]) -> None:
    done = kohyatpl("inspect", "any", *words, "--json")
    assert (done.code, done.problem["where"]) == (2, "--base")


def test_without_a_trainer_nothing_can_be_loaded(made: Path) -> None:
    done = kohyatpl("inspect", made, "--load", "--base", made.parent, "--json")
    assert done.code == 5


@pytest.mark.parametrize(("base", "why"), [("nowhere", "There is no base model"), (".", "no model_index.json")])
def test_a_base_model_that_is_none_is_told(made: Path, stand_in: StandIn, base: str, why: str) -> None:
    done = kohyatpl("inspect", made, "--load", "--base", made.parent / base, "--json")
    assert (done.code, done.problem["code"]) == (4, "project.weights.base")
    assert why in done.problem["message"]
    assert [file["load"] for file in done.envelope["data"]["files"]] == [None]


def test_a_narrow_encoding_gets_what_it_can_write(made: Path) -> None:
    done = kohyatpl("inspect", made.name, "--norms", cwd=made.parent, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert "12 images x 10 repeats" in done.stdout
    assert "###" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(made: Path) -> None:
    script = 'python="$1"; shift; "$python" "$@" | head -1'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "inspect", str(made)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="measures processes")
def test_a_large_file_is_described_without_being_read(tmp_path: Path) -> None:
    """150 MB: the bytes that are read, Python's own modules included, what is held at most, and the time of it.

    It takes a quarter of a second on an idle machine; the bound here is for one that is not.
    """
    tensors = family_lora("sdxl", every=1, dim=1)
    at = sum(array.nbytes for array in tensors.values())
    path = weights_file(tmp_path / "large.safetensors", tensors, METADATA)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header["__metadata__"]["sshs_model_hash"] = "0" * 64
    header["lora_unet_rest.diff"] = entry("F16", [75_000_000], at, at + 150_000_000)
    raw_file(path, header)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + at + 150_000_000)
    done = subprocess.run(
        [sys.executable, "-c", COSTS, "inspect", str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    seconds, peak_kb, read_bytes = json.loads(done.stderr)
    assert "Stable Diffusion XL" in done.stdout
    assert read_bytes < 20_000_000
    assert peak_kb < 100_000
    assert seconds < 2
