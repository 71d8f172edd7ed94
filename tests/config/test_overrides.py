"""`--set` with a key of our own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import kohyatpl
from tests.stand_in import StandIn, make_trainable_project


def test_one_of_our_own_keys_is_set_and_the_others_stay(tmp_path: Path, stand_in: StandIn) -> None:
    block = {"launch": {"threads": 2}, "run": {"save_state_every": "5 min"}}
    root = make_trainable_project(tmp_path / "project", kohyatpl=block)
    key = "kohyatpl.run.save_state_every"
    data = kohyatpl("render", root, "--json", "--set", f"{key}=2 epochs").envelope["data"]
    assert data["argv"][data["argv"].index("--save-state-every-epochs") + 1] == "2"
    assert data["env"]["OMP_NUM_THREADS"] == "2"
    assert json.loads((root / "config.json").read_text(encoding="utf-8"))["kohyatpl"] == block
    unset = make_trainable_project(tmp_path / "other", kohyatpl={})
    assert kohyatpl("render", unset, "--json", "--set", f"{key}=never").code == 0


def test_a_key_that_is_none_of_ours_is_refused(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    for wrong, named in (("kohyatpl.run.save=1", "kohyatpl.run.save"), ("kohyatpl.env=3", "kohyatpl.env")):
        done = kohyatpl("render", root, "--json", "--set", wrong)
        assert done.code == 3
        assert any(named in problem["message"] for problem in done.problems)
        assert all("--set" in problem["where"] for problem in done.problems)
