"""Builds the wheel and uses it from an empty environment: `new`, `render`, `trainer status`, `report`, `inspect`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

BIN = "Scripts" if sys.platform == "win32" else "bin"
TRAINER_ERROR = 5


def run(*argv: str | Path, cwd: Path, expected: int = 0, env: dict[str, str] | None = None) -> str:
    """Returns what a command wrote to stdout; ends this script when its exit code is another than expected."""
    done = subprocess.run(list(map(str, argv)), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        sys.exit(f"{argv} ended with {done.returncode}, not {expected}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def png(path: Path) -> None:
    """Writes the smallest picture there is, with the standard library alone."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (64).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress((b"\0" + b"\x80" * 64) * 64)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def safetensors(path: Path) -> None:
    """Writes a weights file of one number: a header, its length before it, the number."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


def recorded_run(project: Path) -> None:
    """Writes the record of a run of one step, as small as one can be."""
    run_dir = project / "log" / "20260102-030405-cat"
    run_dir.mkdir(parents=True)
    record = {
        "schema_version": 2, "run_id": run_dir.name, "state": "finished", "kohyatpl": "0", "pin": "0" * 40,
        "python": "3", "packages": {}, "argv": [], "env": {}, "model": "a model", "seed": 1, "plan": {},
        "concepts": [], "started_at": "2026-01-02T03:04:05.000+00:00", "last_step": 1,
    }  # fmt: skip
    (run_dir / "run.json").write_text(json.dumps(record), encoding="utf-8")
    step = {"event": "step", "time": 1.0, "step": 1, "loss": 0.5, "average_loss": 0.5, "lr": {"unet": 1e-4}}
    (run_dir / "events.jsonl").write_text(json.dumps(step) + "\n", encoding="utf-8")


def main() -> None:
    """Fails loudly, or says what worked."""
    source = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
        python = folder / "venv" / BIN / "python"
        run(python, "-m", "pip", "install", "-q", "-c", source / "constraints.txt", wheel, cwd=folder)
        kohyatpl = folder / "venv" / BIN / "kohyatpl"
        env = {**os.environ, "KOHYATPL_HOME": str(folder / "home")}
        model = folder / "model.safetensors"
        safetensors(model)
        run(kohyatpl, "new", "project", "--concept", "ohwx cat", "--model", model, cwd=folder, env=env)
        png(folder / "project" / "image_dir" / "1_ohwx cat" / "1.png")
        rendered = json.loads(run(kohyatpl, "--json", "render", "project", cwd=folder, env=env))
        out = Path(rendered["data"]["out"])
        if not (out / "train.toml").is_file() or not Path(rendered["data"]["argv"][1]).is_file():
            sys.exit(f"render did not write what it says: {rendered}")
        status = json.loads(run(kohyatpl, "--json", "trainer", "status", cwd=folder, env=env, expected=TRAINER_ERROR))
        if status["data"]["installed"]:
            sys.exit("an empty home holds a trainer")
        recorded_run(folder / "project")
        report = json.loads(run(kohyatpl, "--json", "report", "--project", "project", cwd=folder, env=env))
        page = Path(report["data"]["page"]).read_text(encoding="utf-8")
        if "Plotly" not in page or '"losses":[0.5]' not in page:
            sys.exit("the page of report lacks its numbers, or the library that draws them")
        found = json.loads(run(kohyatpl, "--json", "inspect", model, cwd=folder, env=env))
        if not found["data"]["files"][0]["is_whole"]:
            sys.exit(f"a whole file is not said to be: {found}")
        print(f"{wheel.name} does new, render, trainer status, report and inspect in an empty environment")


if __name__ == "__main__":
    main()
