"""The lock for another commit: ours, with what that commit asks for otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loratpl.errors import TrainerError
from loratpl.trainer.environment import locked_versions
from loratpl.trainer.paths import ORIGINAL_PIN, TrainerPaths
from loratpl.trainer.pin import load_lock, load_pin
from loratpl.trainer.requirements import carried_over, frozen_lock, installed_packages, requirement_lines
from tests.given import refusal

LOCK = """# a note
bitsandbytes==0.48.2 ; sys_platform != 'darwin'
colorama==0.4.6 ; sys_platform == 'nowhere'
diffusers==0.32.1
numpy==2.2.6
opencv-python-headless==4.10.0.84
safetensors==0.8.0
tokenizers==0.21.4
torch==2.13.0
torchvision==0.28.0
"""
ASKED = ("bitsandbytes", "diffusers[torch]==0.32.1", "numpy", "opencv-python==4.10.0.84", "safetensors==0.4.5")


def _lines(*other: str) -> list[str]:
    return carried_over(LOCK, ASKED, other).text().splitlines()


def _with(*changes: tuple[str, str]) -> tuple[str, ...]:
    return tuple(dict(changes).get(line, line) for line in ASKED)


def test_the_same_requirements_change_nothing() -> None:
    carried = carried_over(LOCK, ASKED, ASKED)
    assert carried.text().splitlines() == LOCK.splitlines()[1:]
    assert (carried.is_changed, carried.notes) == (False, ())
    spaced = carried_over(LOCK, ASKED, _with(("diffusers[torch]==0.32.1", "Diffusers[torch] == 0.32.1")))
    assert not spaced.is_changed


def test_the_shipped_pin_asks_for_what_the_shipped_lock_has() -> None:
    pin, lock = load_pin(ORIGINAL_PIN.pin_path), load_lock(ORIGINAL_PIN.lock_path)
    carried = carried_over(lock, pin.requirements, pin.requirements)
    assert len(pin.requirements) == 21
    assert carried.asked_for <= set(carried.packages)
    assert locked_versions(carried.text()) == locked_versions(lock)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("diffusers[torch]==0.32.1", "diffusers[torch]==0.33.0"), "diffusers[torch]==0.33.0"),
        (("numpy", "numpy<=2.0"), "numpy<=2.0"),
        (("opencv-python==4.10.0.84", "opencv-python==4.11.0.86"), "opencv-python-headless==4.11.0.86"),
        (("opencv-python==4.10.0.84", "OpenCV_Python_Headless==4.11.0.86"), "opencv-python-headless==4.11.0.86"),
        (("bitsandbytes", "bitsandbytes==0.45.0"), "bitsandbytes==0.45.0 ; sys_platform != 'darwin'"),
        (("bitsandbytes", "bitsandbytes==0.45.0; python_version>'3'"), "bitsandbytes==0.45.0 ; python_version>'3'"),
        (("safetensors==0.4.5", "safetensors==0.9.1"), "safetensors==0.9.1"),
    ],
)
def test_a_changed_requirement_takes_the_place_of_our_version(change: tuple[str, str], line: str) -> None:
    lines = _lines(*_with(change))
    assert line.replace(" ;", ";").replace("; ", ";") in [
        found.replace(" ;", ";").replace("; ", ";") for found in lines
    ]
    assert len(lines) == len(LOCK.splitlines()) - 1


def test_added_and_removed_requirements_are_added_and_removed() -> None:
    carried = carried_over(LOCK, ASKED, (*ASKED[1:3], *ASKED[4:], "tabulate", "more==1 # why"))
    assert carried.is_changed
    assert carried.packages.keys() >= {"tabulate", "more", "tokenizers", "safetensors"}
    assert not carried.packages.keys() & {"bitsandbytes", "opencv-python-headless", "opencv-python"}


@pytest.mark.parametrize("asked", ["safetensors==0.4.2", "safetensors>=0.5", "safetensors"])
def test_a_version_that_is_newer_on_purpose_is_not_lowered(asked: str) -> None:
    carried = carried_over(LOCK, ASKED, _with(("safetensors==0.4.5", asked)))
    assert "safetensors==0.8.0" in carried.text().splitlines()
    assert not carried.is_changed
    (note,) = carried.notes
    assert "safetensors==0.8.0 stays" in note
    assert asked in note
    assert "atomically" in note


def test_a_newer_version_stays_when_nobody_asks_for_the_package() -> None:
    assert "safetensors==0.8.0" in _lines(*ASKED[:-1])


def test_pytorch_is_chosen_by_its_own_option_alone() -> None:
    carried = carried_over(LOCK, ASKED, (*ASKED, "torch==2.6.0"))
    assert "torch==2.13.0" in carried.text().splitlines()
    (note,) = carried.notes
    assert "torch==2.6.0" in note
    assert "--torch" in note


def test_loosened_keeps_the_versions_that_somebody_chose() -> None:
    carried = carried_over(LOCK, ASKED, _with(("diffusers[torch]==0.32.1", "diffusers==0.33.0")))
    lines = carried.loosened().splitlines()
    assert {"tokenizers", "colorama ; sys_platform == 'nowhere'"} <= set(lines)
    assert {"diffusers==0.33.0", "torch==2.13.0", "torchvision==0.28.0", "safetensors==0.8.0"} <= set(lines)


def test_lines_that_are_no_packages_are_told_apart() -> None:
    text = "# all\n--extra-index-url https://example.invalid/whl\n\naccelerate==1.6.0  # why\n# x==1\n-e .\nnumpy\n"
    assert requirement_lines(text) == (
        ("accelerate==1.6.0", "numpy"),
        ("--extra-index-url https://example.invalid/whl",),
    )


# --- frozen


def _frozen(*installed: tuple[str, str, list[str]], other: tuple[str, ...] = ASKED) -> list[str]:
    lock = frozen_lock(carried_over(LOCK, ASKED, other), installed, "first\nsecond")
    assert lock.startswith("# first\n# second\n")
    return [line for line in lock.splitlines() if not line.startswith("#")]


_INSTALLED = tuple(
    (name, version, list[str]())
    for name, version in locked_versions(LOCK).items()
    if name not in ("colorama", "torch", "diffusers")
)


def test_what_is_installed_is_frozen_with_the_markers_of_our_lock() -> None:
    lines = _frozen(
        *_INSTALLED, ("torch", "2.13.0+cpu", []), ("diffusers", "0.32.1", ["tokenizers"]), ("pip", "26", [])
    )
    assert lines == LOCK.splitlines()[1:]


def test_what_another_package_brings_is_frozen_and_what_pytorch_alone_brings_is_not() -> None:
    torch = ("torch", "2.13.0", ["nvidia-cublas-cu12==12.8 ; platform_system == 'Linux'", "triton"])
    diffusers = ("Diffusers", "0.33.0", ["Foo_Bar>=1,<3", "torch>=1.4 ; extra == 'torch'"])
    brought: tuple[tuple[str, str, list[str]], ...] = (
        ("foo.bar", "2.5", ["triton"]),
        ("triton", "3.4", []),
        ("nvidia-cublas-cu12", "12.8.1", []),
    )
    other = _with(("diffusers[torch]==0.32.1", "diffusers[torch]==0.33.0"))
    lines = _frozen(*_INSTALLED, torch, diffusers, *brought, other=other)
    assert {"diffusers==0.33.0", "foo-bar==2.5", "triton==3.4", "torch==2.13.0"} <= set(lines)
    assert not any(line.startswith("nvidia") for line in lines)


def test_a_frozen_lock_is_read_by_what_reads_locks() -> None:
    lock = frozen_lock(carried_over(LOCK, ASKED, ASKED), [("torch", "2.13.0+cu130", [])], "note")
    assert locked_versions(lock)["torch"] == "2.13.0"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the interpreter")
def test_an_environment_is_asked_for_its_packages(odd_path: Path) -> None:
    paths = TrainerPaths(odd_path)
    paths.python_path.parent.mkdir(parents=True)
    paths.python_path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    paths.python_path.chmod(0o755)
    found = {name: (version, requires) for name, version, requires in installed_packages(paths)}
    assert found["pytest"][0] == pytest.__version__
    assert any(line.startswith("pluggy") for line in found["pytest"][1])


def test_an_environment_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError) as caught:
        installed_packages(TrainerPaths(tmp_path))
    refusal(caught.value, TrainerError, "trainer.environment.broken", str(tmp_path))
