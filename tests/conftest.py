"""Every test runs in a home of its own, without network settings or git config of the user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import TrainerStatus, status
from tests.hub_cache import cache_tokenizers
from tests.stand_in import StandIn, make_stand_in

# Looked up once, before any test replaces the home; nothing in it is ever written.
_INSTALLED = status(load_pin())
# What makes a name hard may come together in one; only how it begins cannot.
ODD_NAMES = ("""it's a "ñandú 日本 😀" folder""", "-dash", "_5_under_score_s")


@pytest.fixture(scope="session")
def _tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub cache with the tokenizers of every family: tests are offline, and `check` would miss them."""
    folder = tmp_path_factory.mktemp("hub")
    cache_tokenizers(folder)
    return folder


# Ten thousand tests make twenty thousand folders. For each of its own pytest reads the names of all others, to find the
# next number, and then links to it: that took two thirds of the time of a small test.
@pytest.fixture(scope="session")
def _numbered_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(scope="session")
def _numbered_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("tests")
    return (folder / str(number) for number in count())


@pytest.fixture
def tmp_path(_numbered_folders: Iterator[Path], request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own, as pytest gives one: its name tells whose it is, and pytest removes it in time."""
    number = next(_numbered_folders)
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = number.with_name(f"{name}{number.name}")
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(autouse=True)
def _own_home(_tokenizers: Path, _numbered_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = next(_numbered_homes)
    home.mkdir()
    for name in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "KOHYATPL_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    (home / "home").mkdir()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(_tokenizers))
    for name in ("KOHYATPL_SD_SCRIPTS", "KOHYATPL_AUTHOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=ODD_NAMES)
def odd_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose name is harder than most; the test runs once for each."""
    folder = tmp_path / str(request.param)
    folder.mkdir()
    return folder


@pytest.fixture
def stand_in() -> StandIn:
    """An installation whose trainer is a script of ours that prints what the real one prints."""
    return make_stand_in(Path(os.environ["KOHYATPL_HOME"]))


@pytest.fixture(scope="session")
def installed_trainer() -> TrainerStatus:
    """The real trainer, where one is installed; KOHYATPL_REQUIRE_TRAINER=1 makes its absence a failure."""
    if not _INSTALLED.is_ready:
        reason = "; ".join(problem.message for problem in _INSTALLED.problems())
        if os.environ.get("KOHYATPL_REQUIRE_TRAINER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return _INSTALLED
