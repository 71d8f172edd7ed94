"""What is passed on of an installer's words, and which of them are understood."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.trainer.failures import reason_in
from loratpl.trainer.installer import Installer, Narrator, packages_failed
from loratpl.trainer.torch_choice import TorchChoice
from tests.given import only

PIP = b"""Collecting numpy==2.2.6
  Downloading numpy-2.2.6-cp311-cp311-manylinux_2_17_x86_64.whl (16.8 MB)
Collecting einops==0.7.0
  Downloading https://example.invalid/whl/torch-2.13.0%2Bcu130-cp311-cp311-linux_x86_64.whl (2512.4 MB)
  Downloading einops-0.7.0-py3-none-any.whl (44 kB)
Collecting sympy
  Downloading sympy-1.14.0-py3-none-any.whl (6.3 MB)
Installing collected packages: numpy, einops
"""
TOLD_OF_PIP = [
    "downloading numpy-2.2.6-cp311-cp311-manylinux_2_17_x86_64.whl (16.8 MB)",
    "downloading torch-2.13.0%2Bcu130-cp311-cp311-linux_x86_64.whl (2512.4 MB)",
    "unpacking the packages",
]
UV = b"""Resolved 58 packages in 415ms
Downloading sympy (6.0MiB)
Downloading torch (2.3GiB)
Downloading numpy (16.0MiB)
 Downloaded sympy
Prepared 58 packages in 5.23s
"""
TOLD_OF_UV = ["downloading torch (2.3 GiB)", "downloading numpy (16.0 MiB)", "unpacking the packages"]


@given(cuts=st.lists(st.integers(0, max(len(PIP), len(UV)))))
@pytest.mark.parametrize(("words", "told"), [(PIP, TOLD_OF_PIP), (UV, TOLD_OF_UV)])
def test_large_downloads_are_told_wherever_the_bytes_were_cut(words: bytes, told: list[str], cuts: list[int]) -> None:
    said: list[str] = []
    narrator = Narrator(said.append)
    places = [0, *sorted(cuts), len(words)]
    for start, end in itertools.pairwise(places):
        narrator.feed(words[start:end])
    assert said == told


DEFAULT = TorchChoice("default", ("torch==2.13.0", "torchvision==0.29.0"), None, "")
CUDA = TorchChoice("cu130", ("torch==2.13.0+cu130", "torchvision==0.29.0+cu130"), "https://example.invalid", "")
OWN = TorchChoice("torch==1.0", ("torch==1.0", "torchvision"), None, "")
NO_INDEX = "ERROR: Could not find a version that satisfies the requirement torch (from versions: none)\n"
BROKEN = "WARNING: Retrying after connection broken by 'NewConnectionError(Failed to establish a new connection)'\n"
OLDER = "ERROR: Could not find a version that satisfies the requirement torch (from versions: 2.2.0, 2.2.1)\n"
MISSING = "ERROR: No matching distribution found for torch==2.13.0\n"


@pytest.mark.parametrize(
    ("words", "torch", "code"),
    [
        (BROKEN + NO_INDEX + MISSING, DEFAULT, "trainer.environment.network"),
        (BROKEN + OLDER + MISSING, DEFAULT, "trainer.torch.missing"),  # one index of two is down, the other answered
        (OLDER + MISSING, DEFAULT, "trainer.torch.missing"),
        (OLDER + MISSING, CUDA, "trainer.torch.missing"),
        (NO_INDEX + MISSING, CUDA, "trainer.torch.missing"),
        (NO_INDEX + MISSING, DEFAULT, "trainer.environment.packages"),
        ("ERROR: No matching distribution found for torchmetrics==1.0\n", DEFAULT, "trainer.environment.packages"),
        ("ERROR: ResolutionImpossible: for help visit x\n", OWN, "trainer.torch.missing"),
        ("ERROR: ResolutionImpossible: for help visit x\n", DEFAULT, "trainer.environment.packages"),
        ("ERROR: HTTPSConnectionPool(host='x', port=443): Read timed out.\n", DEFAULT, "trainer.environment.network"),
        ("ERROR: [Errno 28] No space left on device\n" + BROKEN, DEFAULT, "trainer.install.disk"),
        ("error: it is broken\n", DEFAULT, "trainer.environment.packages"),
        ("", DEFAULT, "trainer.environment.packages"),
    ],
)
def test_an_installers_words_are_understood(words: str, torch: TorchChoice, code: str) -> None:
    problem = only(packages_failed(words, torch, Installer("pip", None)).problems)
    assert problem.code == code
    assert problem.message.endswith(".")
    assert problem.fix


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Collecting x\nlast words.\n", "last words"),
        (
            "  × No solution found when resolving:\n  ╰─▶ Because a\n      and b.\n",
            "No solution found when resolving: Because a and b",
        ),
        ("error: no\n  Caused by: this\nhint: do that\n", "no: this"),
        ("\n", "no message"),
    ],
)
def test_the_reason_is_what_the_program_itself_says(words: str, reason: str) -> None:
    assert reason_in(words) == reason
