"""`kohyatpl config import`: a config of another program, or a LoRA, becomes a config of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import kohyatpl
from tests.config.gui.second_generation import SECOND_GENERATION
from tests.config.gui.test_keys import FIRST_GENERATION
from tests.config.gui.test_project import make_old_project
from tests.config.test_lora_settings import OPTIONS, header_of
from tests.stand_in import oddest, write_safetensors

HIDDEN_TEXT = "s3cret-0123"


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("generation", [FIRST_GENERATION, SECOND_GENERATION])
def test_the_new_config_is_written_beside_or_elsewhere(odd_path: Path, generation: dict[str, Any]) -> None:
    old = write(odd_path / "old.json", {**generation, "epoch": "7"})
    done = kohyatpl("config", "import", old, "--out", odd_path / "new.json")
    assert done.code == 0, done.stderr
    new = json.loads((odd_path / "new.json").read_text(encoding="utf-8"))
    assert (new["family"], new["max_train_epochs"], new["resolution"]) == ("sd15", 7, "512,512")
    assert "new.json" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()[:-1]) <= 80
    for key in generation:
        assert any(line.startswith(f"{key} → ") for line in done.stdout.splitlines()), key


def test_without_out_the_config_alone_is_on_stdout(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", SECOND_GENERATION)
    done = kohyatpl("config", "import", old)
    assert done.code == 0
    assert json.loads(done.stdout)["network_dim"] == 8
    assert "lr_warmup → lr_warmup_steps = 0.1" in done.stderr
    assert list(tmp_path.iterdir()) == [old]


def test_quiet_leaves_the_table_out_and_keeps_the_problems(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", {**SECOND_GENERATION, "lowvram": True})
    done = kohyatpl("config", "import", old, "--quiet")
    assert "→" not in done.stderr
    assert "lowvram" in done.stderr


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", {**SECOND_GENERATION, "sample_prompts": "a cat"})
    before = old.read_bytes()
    done = kohyatpl("config", "import", old, "--out", old, "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.out.exists")
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", SECOND_GENERATION)
    done = kohyatpl("config", "import", old, "--out", tmp_path / "missing" / "new.json", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.write")
    assert list(tmp_path.iterdir()) == [old]


def test_prompts_go_to_a_file_of_their_own(odd_path: Path) -> None:
    prompts = "a cat\na dog --w 512"
    old = write(odd_path / "old.json", {**SECOND_GENERATION, "sample_prompts": prompts, "sample_every_n_epochs": 1})
    done = kohyatpl("config", "import", old, "--out", odd_path / "new.json", "--json")
    assert done.code == 0
    assert Path(done.envelope["data"]["sample_prompts"]) == odd_path / "sample_prompts.txt"
    assert (odd_path / "sample_prompts.txt").read_text(encoding="utf-8") == f"{prompts}\n"
    assert done.envelope["data"]["config"]["sample_prompts"] == "sample_prompts.txt"


def test_the_json_has_the_mapping_and_what_can_be_known_without_pictures(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", {**SECOND_GENERATION, "sdxl": True, "sdxl_no_half_vae": True})
    data = kohyatpl("config", "import", old, "--json").envelope["data"]
    assert (data["family"], data["script"]) == ("sdxl", "sdxl_train_network.py")
    assert data["options"]["no_half_vae"] is True
    assert data["options"]["lr_warmup_steps"] == 0.1
    assert (data["dataset"], data["argv"], data["env"], data["out"]) == (None, None, None, None)
    assert len(data["mapping"]) == len(SECOND_GENERATION)
    assert set(data["mapping"][0]) == {"key", "becomes", "value", "note"}


def test_beside_its_pictures_a_config_is_rendered_as_a_whole(odd_path: Path) -> None:
    root = make_old_project(odd_path / "clone", min_bucket_reso=64)
    config = next(root.glob("config*.json"))
    data = kohyatpl("config", "import", config, "--json").envelope["data"]
    rendered = kohyatpl("render", root, "--json").envelope["data"]
    assert {name: data[name] for name in ("options", "dataset", "argv", "env")} == {
        name: rendered[name] for name in ("options", "dataset", "argv", "env")
    }


def test_the_new_config_trains_the_same(odd_path: Path) -> None:
    root = make_old_project(odd_path / "clone", min_bucket_reso=64)
    before = kohyatpl("render", root, "--json").envelope["data"]
    assert before["options"]["max_train_epochs"] == 1
    config = next(root.glob("config*.json"))
    done = kohyatpl("config", "import", config, "--out", root / "config.json")
    assert done.code == 0, done.stderr
    config.unlink()
    after = kohyatpl("render", root, "--json").envelope["data"]
    assert {**after, "out": ""} == {**before, "out": ""}


@pytest.mark.parametrize(
    ("content", "code"), [("{", "config.syntax"), ("[1]", "config.shape"), (None, "config.unreadable")]
)
def test_only_a_file_that_is_no_config_is_refused(tmp_path: Path, content: str | None, code: str) -> None:
    if content is not None:
        (tmp_path / "old.json").write_text(content, encoding="utf-8")
    done = kohyatpl("config", "import", tmp_path / "old.json", "--out", tmp_path / "new.json", "--json")
    assert (done.code, done.problem["code"]) == (3, code)
    assert not (tmp_path / "new.json").exists()


def test_what_cannot_be_translated_is_a_warning_and_check_judges_it(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", {**SECOND_GENERATION, "LoRA_type": "LoRAX", "epoch": "1.5"})
    (tmp_path / "project").mkdir()
    done = kohyatpl("config", "import", old, "--out", tmp_path / "project" / "config.json", "--json")
    assert done.code == 0
    assert {problem["severity"] for problem in done.problems} == {"warning"}
    judged = kohyatpl("check", tmp_path / "project", "--json")
    wheres = {problem["where"].partition(": ")[2] for problem in judged.problems if problem["severity"] == "error"}
    assert {"LoRA_type", "epoch"} <= wheres


def test_a_network_of_a_package_is_named_with_what_to_install(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", {**SECOND_GENERATION, "LoRA_type": "LyCORIS/LoKr"})
    done = kohyatpl("config", "import", old, "--json")
    assert (done.code, done.problem["code"]) == (0, "config.gui.network")
    assert "lycoris-lora" in done.problem["fix"]


def test_no_secret_is_in_anything_that_comes_out(tmp_path: Path) -> None:
    old = write(
        tmp_path / "old.json",
        {
            **SECOND_GENERATION,
            "wandb_api_key": HIDDEN_TEXT,
            "huggingface_token": HIDDEN_TEXT,
            "additional_parameters": f"--huggingface_token={HIDDEN_TEXT}",
            "kohyatpl": {"env": {"MY_TOKEN": HIDDEN_TEXT}},
        },
    )
    for arguments in ((), ("--json",), ("--out", tmp_path / "new.json")):
        done = kohyatpl("config", "import", old, *arguments)
        assert done.code == 0
        assert HIDDEN_TEXT not in done.stdout + done.stderr
        assert "WANDB_API_KEY" in done.stdout + done.stderr
    assert HIDDEN_TEXT not in (tmp_path / "new.json").read_text(encoding="utf-8")


def test_no_secret_is_shown_or_rendered(tmp_path: Path) -> None:
    root = make_old_project(
        oddest(tmp_path) / "clone",
        min_bucket_reso=64,
        wandb_api_key=HIDDEN_TEXT,
        kohyatpl={"env": {"A_KEY": HIDDEN_TEXT}},
    )
    for arguments in (("config", "show", root), ("render", root), ("plan", root), ("check", root)):
        for form in ((), ("--json",)):
            done = kohyatpl(*arguments, *form)
            assert done.code == 0, done.stderr
            assert HIDDEN_TEXT not in done.stdout + done.stderr
    shown = [line.split() for line in kohyatpl("config", "show", root).stdout.splitlines() if line]
    hidden = {words[0]: words[1] for words in shown if words[0] in ("WANDB_API_KEY", "A_KEY")}
    assert hidden == {"WANDB_API_KEY": "(hidden)", "A_KEY": "(hidden)"}
    assert kohyatpl("config", "show", root, "--json").envelope["data"]["secrets"].keys() == {"WANDB_API_KEY", "A_KEY"}
    written = [path for path in (root / ".kohyatpl").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if HIDDEN_TEXT.encode() in path.read_bytes()]


# --- a LoRA


def test_a_lora_gives_its_settings_back(odd_path: Path) -> None:
    lora = odd_path / "cats.safetensors"
    write_safetensors(lora, {"lora_unet_a.lora_up.weight": [1.0]}, header_of(OPTIONS))
    done = kohyatpl("config", "import", lora, "--out", odd_path / "new.json", "--json")
    assert done.code == 0, done.stderr
    assert done.problem["code"] == "config.lora.lost"
    assert "pretrained_model_name_or_path" in done.problem["message"]
    assert "base.safetensors" in done.problem["fix"]
    new = json.loads((odd_path / "new.json").read_text(encoding="utf-8"))
    assert new == done.envelope["data"]["config"]
    assert (new["network_dim"], new["text_encoder_lr"]) == (OPTIONS["network_dim"], OPTIONS["text_encoder_lr"])
    assert "ss_network_dim → network_dim = 32" in kohyatpl("config", "import", lora).stderr


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "config.lora.unreadable"), (b"no weights", "config.lora.unreadable"), ({}, "config.lora.metadata")],
)
def test_a_file_that_is_no_lora_is_refused(tmp_path: Path, content: Any, code: str) -> None:
    lora = tmp_path / "a.safetensors"
    if isinstance(content, bytes):
        lora.write_bytes(content)
    elif content is not None:
        write_safetensors(lora, {"a": [1.0]}, content)
    done = kohyatpl("config", "import", lora, "--json")
    assert (done.code, done.problem["code"]) == (3, code)
