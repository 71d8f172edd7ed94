"""Which command may import what: start-up is a feature, and the trainer's libraries never come into our process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toml

from tests.report.inspect.made_files import family_lora, weights_file
from tests.stand_in import StandIn, make_trainable_project

# Says on stderr which modules a command line has imported, once it has ended.
REPORTING = """
import json, sys
from loratpl.ui.main import run
code = run(sys.argv[1:])
sys.stdout.flush()
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
SLOW = {
    "pydantic", "rich", "git", "PIL", "toml", "imagesize", "filelock", "platformdirs", "yaml", "tomllib", "tomli",
    "jinja2", "plotly",
}  # fmt: skip
# The trainer's; stand-ins of them can be imported here, so that an attempt cannot fail unseen.
FOREIGN = {"torch", "torchvision", "numpy", "accelerate", "transformers", "diffusers", "safetensors"}


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes an import of any of the trainer's libraries succeed."""
    for name in FOREIGN:
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)


def imported_by(*words: str, cwd: Path, code: int = 0) -> set[str]:
    """Returns the top-level modules of the process that ran a command line."""
    done = subprocess.run(
        [sys.executable, "-c", REPORTING, *words], cwd=cwd, capture_output=True, text=True, check=True, timeout=60
    )
    found, modules = json.loads(done.stderr.splitlines()[-1])
    assert found == code, done.stderr
    return {str(name).partition(".")[0] for name in modules}


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("words", "code", "allowed"),
    [
        (("--version",), 0, set()),
        (("--help",), 0, set()),
        (("run", "--help"), 0, set()),
        (("trainer", "--help"), 0, set()),
        (("frobnicate", "--json"), 2, set()),
        (("trainer", "pin"), 0, set()),
        (("trainer", "install", "--json"), 0, {"pydantic", "filelock"}),
        (("new", "cats", "--model", "a/b"), 0, {"pydantic"}),  # it writes the schema of the config
        (("config", "show", "project"), 0, {"pydantic", "imagesize"}),
        (("config", "show", "project", "--json", "--set", "nothing=1"), 3, {"pydantic", "imagesize"}),
        (("config", "show", "project", "--set", "nothing=1"), 3, {"pydantic", "imagesize", "rich"}),
        (("check", "project"), 0, {"pydantic", "imagesize", "PIL"}),
        (("plan", "project"), 0, {"pydantic", "imagesize"}),
        (("trainer", "status"), 0, {"pydantic"}),
        (("render", "project"), 0, {"pydantic", "imagesize", "toml"}),
        (("run", "project"), 0, {"pydantic", "imagesize", "toml", "filelock", "PIL"}),
        (("runs", "--project", "project"), 0, {"pydantic", "imagesize"}),
        (("report", "--help"), 0, set()),
        (("inspect", "lora.safetensors"), 0, set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_command_imports_only_what_it_needs(
    tmp_path: Path, stand_in: StandIn, words: tuple[str, ...], code: int, allowed: set[str]
) -> None:
    make_trainable_project(tmp_path / "project")
    weights_file(tmp_path / "lora.safetensors", family_lora("sd15"), {"ss_network_module": "networks.lora"})
    imported = imported_by(*words, cwd=tmp_path, code=code)
    assert imported & SLOW <= allowed
    assert imported & FOREIGN == set()


@pytest.mark.parametrize(("name", "parsers"), [("config.yaml", {"yaml"}), ("config.toml", {"tomllib", "tomli"})])
def test_a_format_costs_only_those_who_use_it(tmp_path: Path, stand_in: StandIn, name: str, parsers: set[str]) -> None:
    project = make_trainable_project(tmp_path / "project")
    config = json.loads((project / "config.json").read_text(encoding="utf-8"))
    text = json.dumps(config) if name.endswith(".yaml") else toml.dumps(config)  # all JSON is YAML
    (project / name).write_text(text, encoding="utf-8")
    (project / "config.json").unlink()
    imported = imported_by("config", "show", "project", cwd=tmp_path)
    assert imported & {"yaml", "tomllib", "tomli", "jinja2"} <= parsers
    assert imported & parsers


@pytest.mark.usefixtures("importable")
def test_the_test_above_would_see_an_import(tmp_path: Path) -> None:
    code = "import json, sys, torch, filelock; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert {"torch", "filelock"} <= set(json.loads(done.stdout))
