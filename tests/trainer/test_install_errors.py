"""What can keep an install from its end: each is told with its fix, exit 5, and leaves nothing that counts."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from loratpl.trainer.failures import failed
from loratpl.trainer.paths import PinPaths
from loratpl.trainer.pin import pin_text
from tests.command_line import COMMAND, Done, kohyatpl
from tests.trainer.repositories import git
from tests.trainer.small_trainer import SmallTrainer, make_small_trainer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins for programs are scripts of a shell")

# Files of more than 128 kB are refused as they are on a full disk; what git and Python write themselves is smaller.
SMALL_FILES = ("sh", "-c", 'ulimit -f 256; exec "$@"', "sh")
PICTURE_BYTES = 1_000_000


@pytest.fixture
def trainer(tmp_path: Path) -> SmallTrainer:
    """A small trainer."""
    return make_small_trainer(tmp_path)


def _installed(
    trainer: SmallTrainer, *words: str, before: Sequence[str] = (), changes: Mapping[str, str] | None = None
) -> Done:
    """Returns what an install of a small trainer did with --json; nothing of it may count."""
    argv = [*before, *COMMAND, "trainer", "install", "--source", str(trainer.source_dir), "--torch", "default", *words]
    env = {**os.environ, **trainer.environment(), **(changes or {})}
    ended = subprocess.run([*argv, "--json"], env=env, capture_output=True, timeout=60, check=False)
    assert kohyatpl("trainer", "status").code == 5
    assert not trainer.paths.partial.root_dir.exists()
    return Done(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def _refused(done: Done, code: str, *named: str) -> None:
    assert (done.code, done.problem["code"]) == (5, code)
    for text in named:
        assert text in "\n".join(done.problem.values())


def _replace_installer(trainer: SmallTrainer, script: str) -> Path:
    path = trainer.bin_dir / "uv"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    return path


def _saying(text: str) -> str:
    """A uv that answers with its version, and fails with these words otherwise."""
    return f'[ "$1" = --version ] && exit 0\ncat >&2 <<"END"\n{text}\nEND\nexit 1'


def test_a_disk_without_room_for_the_files_is_told(tmp_path: Path) -> None:
    trainer = make_small_trainer(tmp_path, picture_bytes=PICTURE_BYTES)
    done = _installed(trainer, before=SMALL_FILES)
    _refused(done, "trainer.install.disk", "File too large", "picture.png", "KOHYATPL_HOME")


@pytest.mark.parametrize(
    "words",
    ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "Disk quota exceeded"],
)
def test_a_disk_without_room_for_the_packages_is_told(trainer: SmallTrainer, words: str) -> None:
    _replace_installer(trainer, _saying(words))
    _refused(_installed(trainer), "trainer.install.disk", words.removeprefix("ERROR: "), "KOHYATPL_HOME")


def test_another_commit_in_the_source_is_told(trainer: SmallTrainer) -> None:
    git(trainer.source_dir, "commit", "--quiet", "--allow-empty", "--message", "one more")
    _refused(_installed(trainer), "trainer.source.commit", f"checkout {trainer.pin.commit}")


def test_a_changed_file_in_the_source_is_told(trainer: SmallTrainer) -> None:
    (trainer.source_dir / "train_network.py").write_text("print('mine')", encoding="utf-8")
    _refused(_installed(trainer), "trainer.source.changed", "train_network.py", "diff")


def test_a_person_reads_what_is_wrong_and_what_mends_it(trainer: SmallTrainer) -> None:
    git(trainer.source_dir, "commit", "--quiet", "--allow-empty", "--message", "one more")
    words = ("trainer", "install", "--source", trainer.source_dir, "--torch", "default")
    done, as_json = (kohyatpl(*words, *more, env=trainer.environment()) for more in ((), ("--json",)))
    assert (done.code, done.stdout) == (5, "")
    assert f"error: {as_json.problem['message']}\n  fix: {as_json.problem['fix']}\n" in done.stderr


def test_a_python_out_of_range_is_told(trainer: SmallTrainer) -> None:
    pin = replace(trainer.pin, python_min=(3, 8), python_max=(3, 9))
    PinPaths.of_user().pin_path.write_text(pin_text(pin), encoding="utf-8")
    _refused(_installed(trainer), "trainer.python", "Python 3.8 to 3.9", platform.python_version(), "python3.9 -m pip")


def test_a_torch_that_cannot_be_understood_is_refused_first(trainer: SmallTrainer) -> None:
    done = _installed(trainer, "--torch", "cu13")
    assert (done.code, done.problem["code"]) == (2, "usage.torch")
    assert not trainer.paths.lock_path.exists()


def test_without_git_nothing_is_installed(trainer: SmallTrainer) -> None:
    done = _installed(trainer, changes={"PATH": str(trainer.bin_dir)})
    _refused(done, "trainer.git.missing", "https://git-scm.com")


# What uv 0.13 and 0.5 write.
UV_MISSING = """Using Python 3.11.7 environment at: venv
error: No solution found when resolving dependencies
  cause: Because there is no version of torch==9.9.9 and you require torch==9.9.9, we can conclude that your
         requirements are unsatisfiable."""
UV_MISSING_AS_A_TREE = """  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of torch==9.9.9 and you require
      torch==9.9.9, we can conclude that your requirements are unsatisfiable."""
UV_OFFLINE = """error: Request failed after 3 retries in 4.1s
  cause: Failed to fetch: https://127.0.0.1:9/simple/certifi/
  cause: tcp connect error
  cause: Connection refused (os error 111)"""


@pytest.mark.parametrize("words", [UV_MISSING, UV_MISSING_AS_A_TREE])
def test_a_torch_that_uv_does_not_find_is_told(trainer: SmallTrainer, words: str) -> None:
    _replace_installer(trainer, _saying(words))
    done = _installed(trainer, "--torch", "torch==9.9.9")
    _refused(done, "trainer.torch.missing", "as torch==9.9.9: No solution found", "there is no version", "--torch cpu")


def test_an_index_that_uv_does_not_reach_is_told(trainer: SmallTrainer) -> None:
    _replace_installer(trainer, _saying(UV_OFFLINE))
    done = _installed(trainer)
    _refused(done, "trainer.environment.network", "uv cannot reach", "Connection refused", "UV_DEFAULT_INDEX")


def _with_pip(trainer: SmallTrainer, links: Path, *words: str, changes: Mapping[str, str]) -> Done:
    """Returns what an install with the real pip did that has nothing but a folder to look in."""
    (trainer.bin_dir / "uv").unlink(missing_ok=True)
    (trainer.bin_dir / "git").symlink_to(shutil.which("git") or "git")
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": links.as_uri(), "PATH": str(trainer.bin_dir)}
    return _installed(trainer, *words, changes={**settings, **changes})


def _make_wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A folder with wheels of all that the small trainer needs."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("torch", "torchvision"):
        _make_wheel(folder, name, "1.0")
    _make_wheel(folder, "small", "1.0", "torch<2")
    _make_wheel(folder, "torch", "2.0")
    return folder


def test_a_torch_that_pip_does_not_find_is_told(trainer: SmallTrainer, links: Path) -> None:
    done = _with_pip(trainer, links, "--torch", "torch==9.9.9", changes={"PIP_NO_INDEX": "1"})
    _refused(done, "trainer.torch.missing", "No matching distribution found for torch==9.9.9", "--torch default")


def test_a_torch_that_does_not_go_with_the_trainer_is_told(trainer: SmallTrainer, links: Path) -> None:
    done = _with_pip(trainer, links, "--torch", "torch==2.0", changes={"PIP_NO_INDEX": "1"})
    _refused(done, "trainer.torch.missing", "torch==2.0", "small 1.0 depends on torch<2")


def test_an_index_that_pip_does_not_reach_is_told(trainer: SmallTrainer, tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "https://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    done = _with_pip(trainer, tmp_path, changes=nowhere)
    _refused(done, "trainer.environment.network", "pip cannot reach", "Check the network")


@pytest.mark.parametrize("script", ["echo error: no uv here >&2; exit 2", None])
def test_a_uv_that_does_not_work_gives_way_to_pip(trainer: SmallTrainer, links: Path, script: str | None) -> None:
    installer = _replace_installer(trainer, script or "")
    if script is None:
        installer.write_bytes(b"\x7fELF no program")
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": links.as_uri(), "PIP_NO_INDEX": "1", "PIP_USER": "1"}
    done = kohyatpl(
        *("trainer", "install", "--source", trainer.source_dir, "--torch", "default"),
        env={**trainer.environment(), **settings},
    )
    assert done.code == 0, done.stderr
    assert f"{installer} does not work" in done.stderr
    assert "installing with pip" in done.stderr
    assert "healthy" in done.stdout


DEBIAN = """The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.

    apt install python3.12-venv

Failing command: /tmp/venv/bin/python3
"""


def test_a_python_without_ensurepip_is_told_in_its_own_words() -> None:
    error = failed("trainer.environment.venv", "A virtual environment cannot be made", DEBIAN, "Install it.")
    assert error.problems[0].message == "A virtual environment cannot be made: ensurepip is not available."
