"""No test can touch the user's home, the network or the user's git config."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.process import child_environment
from loratpl.trainer.install import source_from_environment
from loratpl.trainer.paths import HOME_VARIABLE, data_dir
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status


@pytest.fixture
def base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pytest will delete again."""
    return tmp_path_factory.getbasetemp().resolve()


@pytest.mark.skipif(sys.platform == "win32", reason="asks the password database")
def test_the_home_of_a_test_is_not_the_users(base_dir: Path) -> None:
    import pwd

    users_home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert Path.home() != users_home
    assert Path.home().resolve().is_relative_to(base_dir)
    assert Path("~").expanduser() == Path.home()


@pytest.mark.parametrize("is_moved", [True, False])
def test_our_data_lies_in_the_folder_of_the_test(
    base_dir: Path, monkeypatch: pytest.MonkeyPatch, *, is_moved: bool
) -> None:
    if not is_moved:
        monkeypatch.delenv(HOME_VARIABLE)
    assert data_dir().resolve().is_relative_to(base_dir)


def test_no_trainer_is_installed_unless_the_test_makes_one() -> None:
    assert status(load_pin()).marker is None
    assert source_from_environment() is None


def test_two_tests_do_not_share_a_home(base_dir: Path) -> None:
    assert not data_dir().exists()
    data_dir().mkdir(parents=True)


test_nor_does_the_same_test_again = test_two_tests_do_not_share_a_home


def test_two_tests_do_not_share_a_folder(base_dir: Path, tmp_path: Path) -> None:
    assert tmp_path.resolve() == tmp_path
    assert tmp_path.is_relative_to(base_dir)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").touch()


test_nor_do_two_of_one_name = test_two_tests_do_not_share_a_folder


def test_children_have_the_same_home(base_dir: Path) -> None:
    code = (
        "from pathlib import Path; from loratpl.trainer.paths import data_dir; "
        "print(Path.home(), data_dir(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [str(Path.home()), str(data_dir())]


def test_git_has_no_settings_of_the_user_or_the_machine(tmp_path: Path) -> None:
    done = subprocess.run(
        ["git", "config", "--list", "--show-scope"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    scopes = {line.split()[0] for line in done.stdout.splitlines()}
    assert scopes <= {"command"}, done.stdout


def test_the_hub_is_not_asked() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
