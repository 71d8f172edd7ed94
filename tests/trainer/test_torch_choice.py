"""Which build of PyTorch is taken, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from loratpl.errors import TrainerError, UsageError
from loratpl.trainer.torch_choice import INDEX_URL, TorchChoice, answers, ask_driver, choose_torch, is_locked_build
from tests.given import refusal
from tests.trainer.servers import HOST, serving

LOCKED = {"torch": "2.13.0", "torchvision": "0.29.0", "numpy": "2.2.6"}
linux = pytest.mark.skipif(sys.platform == "darwin", reason="there is one build for macOS")
posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


def _chosen(
    wanted: str, driver: tuple[int, int] | None = None, reachable: Callable[[str], bool] = lambda _: True
) -> TorchChoice:
    return choose_torch(wanted, LOCKED, driver_cuda=lambda: driver, is_reachable=reachable)


@linux
@pytest.mark.parametrize(
    ("driver", "build"),
    [(None, "cpu"), ((12, 0), "cu126"), ((12, 9), "cu126"), ((13, 0), "cu130"), ((13, 4), "cu130"), ((14, 0), "cu130")],
)
def test_the_build_is_the_newest_that_the_driver_runs(driver: tuple[int, int] | None, build: str) -> None:
    choice = _chosen("auto", driver)
    assert choice.name == build
    assert choice.requirements == (f"torch==2.13.0+{build}", f"torchvision==0.29.0+{build}")
    assert choice.index_url == f"{INDEX_URL}/{build}"
    assert build in choice.note
    assert is_locked_build(choice.name)


@linux
def test_a_driver_that_is_too_old_for_any_build_is_told() -> None:
    with pytest.raises(TrainerError) as caught:
        _chosen("auto", (11, 8))
    problem = refusal(caught.value, TrainerError, "trainer.torch.driver", "CUDA 11.8")
    assert "--torch cpu" in problem.fix


@pytest.mark.parametrize("build", ["cpu", "cu126", "cu130", "cu128"])
def test_a_build_can_be_asked_for_whatever_the_driver(build: str) -> None:
    assert _chosen(build, (11, 8)).requirements[0] == f"torch==2.13.0+{build}"


@linux
@pytest.mark.parametrize("wanted", ["auto", "cpu", "cu130"])
def test_an_index_that_cannot_be_reached_is_told_and_the_default_taken(wanted: str) -> None:
    choice = _chosen(wanted, (13, 0), lambda _: False)
    assert choice.name == "default"
    assert choice.requirements == ("torch==2.13.0", "torchvision==0.29.0")
    assert choice.index_url is None
    assert "index cannot be reached" in choice.note


def test_a_build_that_the_index_does_not_have_is_refused() -> None:
    with pytest.raises(TrainerError) as caught:
        _chosen("cu999", reachable=lambda url: url.endswith("/cpu"))
    problem = refusal(caught.value, TrainerError, "trainer.torch.missing", "cu999")
    assert "cu130" in problem.fix


@pytest.mark.parametrize(
    "wanted", ["torch", "torch==2.12.1", "torch>=2.6,<3", "torch @ https://example.invalid/torch.whl", "a b/torch.whl"]
)
def test_a_requirement_is_taken_as_it_is(wanted: str) -> None:
    choice = _chosen(wanted, reachable=lambda _: False)
    assert choice.requirements == (wanted, "torchvision")
    assert (choice.name, choice.index_url) == (wanted, None)
    assert not is_locked_build(choice.name)


@pytest.mark.parametrize("wanted", ["", "cuda", "cu13", "CPU", "2.12.1", "torchvision==1", "numpy", "-r x", "torchx"])
def test_what_is_no_choice_is_refused_before_anything_is_done(wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        _chosen(wanted)
    problem = refusal(caught.value, UsageError, "usage.torch", f"--torch {wanted}")
    assert "--torch cu130" in problem.fix


def _driver_saying(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int] | None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return ask_driver()


@posix
@pytest.mark.parametrize(
    ("script", "version"),
    [
        ('echo "| NVIDIA-SMI 580.1    Driver Version: 580.1    CUDA Version: 13.0  |"', (13, 0)),
        ('echo "| CUDA Version: N/A |"', None),
        ('echo "NVIDIA-SMI has failed because it could not communicate with the driver."; exit 9', None),
        ("exit 1", None),
    ],
)
def test_the_driver_is_asked_for_its_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: tuple[int, int] | None
) -> None:
    assert _driver_saying(tmp_path, script, monkeypatch) == version


def test_a_machine_without_a_driver_has_no_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_driver() is None


class _Index(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 403)
        self.end_headers()


def test_an_index_answers_for_the_builds_that_it_has() -> None:
    with serving(_Index) as port:
        found = [answers(f"http://{HOST}:{port}/whl/{build}") for build in ("cpu", "cu999")]
    assert found == [True, False]
    assert not answers(f"http://{HOST}:{port}/whl/cpu")
