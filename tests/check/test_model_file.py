"""A base model that is none: what a failed download leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.check.model_file import model_file_problems
from tests.check.given_rules import settings_for, text_of
from tests.given import only
from tests.stand_in import write_safetensors


@pytest.mark.parametrize(
    ("name", "data", "named"),
    [
        ("m.safetensors", b"<!DOCTYPE html><html>login</html>", ("HTML", "Download it again")),
        ("m.ckpt", b"\n <html>", ("HTML",)),
        ("m.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", ("Git LFS", "git lfs pull")),
        ("m.safetensors", b"", ("empty",)),
        ("m.ckpt", b"", ("empty",)),
        ("m.safetensors", b"12345678901234567890", ("safetensors",)),
    ],
)
def test_a_file_that_is_no_model_is_named(odd_path: Path, name: str, data: bytes, named: tuple[str, ...]) -> None:
    (odd_path / name).write_bytes(data)
    problem = only(model_file_problems(settings_for(odd_path, pretrained_model_name_or_path=name)))
    assert (problem.severity, problem.code) == ("error", "config.model.damaged")
    assert all(text in text_of(problem) for text in (name, *named))


def test_a_model_that_is_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"a": [1.0, 2.0]})
    path.write_bytes(path.read_bytes()[:-4])
    problem = only(model_file_problems(settings_for(tmp_path, pretrained_model_name_or_path=path.name)))
    assert "4 bytes are missing" in problem.message


def test_a_lora_is_no_base_model(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "m.safetensors", {"lora_unet_x.lora_up.weight": [1.0], "lora_te_y.alpha": [1.0]})
    problem = only(model_file_problems(settings_for(tmp_path, pretrained_model_name_or_path="m.safetensors")))
    assert "LoRA" in problem.message
    assert "network_weights" in problem.fix


@pytest.mark.parametrize("name", ["model.safetensors", "old.ckpt", "folder", "nowhere.safetensors", "owner/name", None])
def test_any_other_model_is_none_of_this_rules_business(tmp_path: Path, name: str | None) -> None:
    (tmp_path / "old.ckpt").write_bytes(b"PK\x03\x04")
    (tmp_path / "folder").mkdir()
    assert list(model_file_problems(settings_for(tmp_path, pretrained_model_name_or_path=name))) == []
