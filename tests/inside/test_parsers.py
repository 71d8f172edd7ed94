"""The dump of the trainer's options, from a folder of small scripts that have a parser as the trainer's have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.resources import INSIDE_DIR

SCRIPT = """
import argparse
import library.converters
from pathlib import Path

print("imported")

def setup_parser():
    parser = argparse.ArgumentParser()
    {options}
    return parser

if __name__ == "__main__":
    raise SystemExit("a script must not be run to be asked")
"""
CONVERTERS = """
def int_or_float(value):
    return int(value) if value.isdigit() else float(value)

def strtobool(value):
    return value == "true"
"""


def parse(source_dir: Path, **options: str) -> subprocess.CompletedProcess[str]:
    """Runs parsers.py on a folder with a script for each keyword, its value the lines that add its options."""
    (source_dir / "library").mkdir(parents=True, exist_ok=True)
    (source_dir / "library" / "converters.py").write_text(CONVERTERS, encoding="utf-8")
    for name, lines in options.items():
        (source_dir / f"{name}.py").write_text(SCRIPT.format(options=lines), encoding="utf-8")
    scripts = [f"{name}.py" for name in options]
    return subprocess.run(
        [sys.executable, INSIDE_DIR / "parsers.py", "--source", source_dir, "--out", "options.json", *scripts],
        cwd=source_dir.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def options_of(source_dir: Path, lines: str) -> list[dict[str, Any]]:
    done = parse(source_dir, train=lines)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads((source_dir.parent / "options.json").read_bytes())["train.py"]
    return found


PLAIN = {"type": None, "nargs": None, "choices": None, "default": None, "flag": False}


@pytest.mark.parametrize(
    ("line", "described"),
    [
        (
            "parser.add_argument('--v2', action='store_true')",
            {"name": "v2", "nargs": 0, "default": False, "flag": True},
        ),
        ("parser.add_argument('--seed', type=int, default=42)", {"name": "seed", "type": "int", "default": 42}),
        ("parser.add_argument('--lr', type=float, default=2e-6)", {"name": "lr", "type": "float", "default": 2e-6}),
        ("parser.add_argument('--out', type=str)", {"name": "out", "type": "str"}),
        ("parser.add_argument('--resolution')", {"name": "resolution"}),
        ("parser.add_argument('--place', type=Path)", {"name": "place", "type": "path"}),
        (
            "parser.add_argument('--warmup', type=library.converters.int_or_float, default=0)",
            {"name": "warmup", "type": "int_or_float", "default": 0},
        ),
        (
            "parser.add_argument('--precision', choices=['no', 'fp16', None], default='no')",
            {"name": "precision", "choices": ["no", "fp16", None], "default": "no"},
        ),
        (
            "parser.add_argument('--optimizer_args', type=str, default=None, nargs='*')",
            {"name": "optimizer_args", "type": "str", "nargs": "*"},
        ),
        (
            "parser.add_argument('--caption_extension', '--caption_extention', '-c', type=str, default='.txt')",
            {"name": "caption_extension", "type": "str", "default": ".txt", "aliases": ["--caption_extention", "-c"]},
        ),
        (
            "parser.add_argument('--dim', dest='network_dim', type=int)",
            {"name": "network_dim", "type": "int", "aliases": ["--dim"]},
        ),
    ],
)
def test_an_option_is_described_as_the_parser_has_it(tmp_path: Path, line: str, described: dict[str, Any]) -> None:
    assert options_of(tmp_path / "source", line) == [{**PLAIN, **described}]


def test_options_stand_in_the_order_of_the_parser_without_help(odd_path: Path) -> None:
    lines = "for name in 'zab': parser.add_argument(f'--{name}', help='secret words')"
    assert [option["name"] for option in options_of(odd_path / "source", lines)] == ["z", "a", "b"]
    assert "secret" not in (odd_path / "options.json").read_text(encoding="utf-8")


def test_every_script_that_is_named_is_asked(tmp_path: Path) -> None:
    done = parse(tmp_path / "source", train="parser.add_argument('--a')", sdxl_train="parser.add_argument('--b')")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "options.json").read_bytes())
    assert {script: [option["name"] for option in options] for script, options in found.items()} == {
        "train.py": ["a"],
        "sdxl_train.py": ["b"],
    }


def test_scripts_find_their_folder_and_their_own_modules(tmp_path: Path) -> None:
    """sd-scripts reads files beside its scripts, and may have a module of the same name as one of ours."""
    source_dir = tmp_path / "source"
    source_dir.mkdir()
    (source_dir / "judge.py").write_text("NAME = 'theirs'", encoding="utf-8")
    lines = "import judge, os; parser.add_argument('--a', default=[judge.NAME, os.path.isfile('judge.py')])"
    assert options_of(source_dir, lines)[0]["default"] == ["theirs", True]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "parser.add_argument('--on', type=library.converters.strtobool)",
            "Option on has the converter strtobool, which parsers.py does not know.",
        ),
        (
            "parser.add_argument('--off', action='store_false')",
            "Option off has the action _StoreFalseAction, which parsers.py does not know.",
        ),
        (
            "parser.add_argument('--more', action='append')",
            "Option more has the action _AppendAction, which parsers.py does not know.",
        ),
        ("raise ImportError('no triton here')", "no triton here"),
    ],
)
def test_what_the_manifest_cannot_hold_ends_the_dump(tmp_path: Path, line: str, says: str) -> None:
    done = parse(tmp_path / "source", train=line)
    assert done.returncode != 0
    assert says in done.stderr.splitlines()[-1]
    assert not (tmp_path / "options.json").exists()


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    done = subprocess.run(
        [sys.executable, INSIDE_DIR / "parsers.py", "--source", "source", "--out", "options.json", "nowhere.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "No module named 'nowhere'" in done.stderr
