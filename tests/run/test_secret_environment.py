"""Keys and tokens of a config reach the trainer, and nothing that a run leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import kohyatpl
from tests.config.gui.test_project import make_old_project
from tests.stand_in import StandIn

WORD = "s3cret-0123"
_TELL = """
import os
with open(os.environ["TOLD"], "w") as told:
    told.write(" ".join(os.environ.get(name, "-") for name in ("WANDB_API_KEY", "HF_TOKEN", "MY_TOKEN")))
"""


def test_secrets_reach_the_trainer_and_are_recorded_nowhere(tmp_path: Path, stand_in: StandIn) -> None:
    script = stand_in.paths.source_dir / "train_network.py"
    script.write_text(_TELL + script.read_text(encoding="utf-8"), encoding="utf-8")
    told = tmp_path / "told"
    block = {"env": {"TOLD": str(told), "MY_TOKEN": f"{WORD}-c"}}
    root = make_old_project(
        tmp_path / "clone",
        min_bucket_reso=64,
        wandb_api_key=f"{WORD}-a",
        additional_parameters=f"--huggingface_token={WORD}-b",
        kohyatpl=block,
    )
    done = kohyatpl("run", root, "--json")
    assert done.code == 0, done.stdout
    assert told.read_text() == f"{WORD}-a {WORD}-b {WORD}-c"
    assert WORD not in done.stdout + done.stderr
    left = [path for folder in ("log", "output", ".kohyatpl") for path in (root / folder).rglob("*") if path.is_file()]
    assert {"run.json", "config.json", "train.toml", "command.txt", "trainer.log"} <= {path.name for path in left}
    assert [path.name for path in left if WORD.encode() in path.read_bytes()] == []
    record = next(path for path in left if path.name == "run.json")
    assert json.loads(record.read_text())["env"]["TOLD"] == str(told)
