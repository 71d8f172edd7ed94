"""Which family a config is of, and what contradicts it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.families import FAMILIES
from loratpl.config.reading import read_config
from loratpl.config.settings import Settings, resolve
from loratpl.errors import ConfigError, Problem
from tests.given import only, refusal
from tests.stand_in import write_safetensors

MODEL = "pretrained_model_name_or_path"
# Names as each family's published files have them; what a file holds besides does not matter here.
TENSORS = {
    "sdxl": ["conditioner.embedders.1.model.ln_final.weight", "model.diffusion_model.input_blocks.4.attn2.to_k.weight"],
    "sd3": ["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"],
    "flux": ["double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"],
    "chroma": ["distilled_guidance_layer.in_proj.weight", "double_blocks.0.img_attn.qkv.weight"],
    "lumina": ["cap_embedder.0.weight", "noise_refiner.0.attention.qkv.weight"],
    "hunyuan-image": ["double_blocks.0.img_attn_qkv.weight", "byt5_in.fc1.weight"],
    "anima": ["net.llm_adapter.blocks.0.cross_attn.k_proj.weight", "net.blocks.0.adaln_modulation_mlp.1.weight"],
}  # fmt: skip


def resolved(
    folder: Path, values: dict[str, Any], *, tensors: list[str] | None = None, overrides: dict[str, Any] | None = None
) -> tuple[Settings, tuple[Problem, ...]]:
    """Settings and problems of a config whose files are all there; the base model holds these tensors."""
    names = [MODEL, *(companion.option for family in FAMILIES.values() for companion in family.companions)]
    folder.mkdir(exist_ok=True)
    given = {name: f"{name}.safetensors" for name in names if values.get(name, "") is True}
    for name in (MODEL, *given):
        write_safetensors(folder / f"{name}.safetensors", {}, {})
    write_matrices(folder / f"{MODEL}.safetensors", tensors or ["a"])
    path = folder / "config.json"
    path.write_text(json.dumps({MODEL: f"{MODEL}.safetensors", **values, **given}, indent=1), encoding="utf-8")
    return resolve(read_config(path), project_name="cats", overrides=list((overrides or {}).items()))


def write_matrices(path: Path, names: list[str], width: int = 2) -> None:
    """Writes a file of tensors of one row each."""
    header = {
        name: {"dtype": "F32", "shape": [1, width], "data_offsets": [4 * width * number, 4 * width * (number + 1)]}
        for number, name in enumerate(names)
    }
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(4 * width * len(names)))


@pytest.mark.parametrize(
    ("values", "family", "source"),
    [
        ({"family": "flux"}, "flux", "config.json"),
        ({"v2": True}, "sd2", "found from v2"),
        ({"clip_g": True}, "sd3", "found from clip_g"),
        ({"ae": True, "t5xxl": True, "clip_l": True}, "flux", "found from ae and t5xxl"),
        ({"model_type": "chroma"}, "chroma", "found from model_type chroma"),
        ({"model_type": "flux"}, "flux", "found from model_type flux"),
        ({"gemma2": True, "ae": True}, "lumina", "found from gemma2"),
        ({"byt5": True}, "hunyuan-image", "found from byt5"),
        ({"text_encoder": True}, "hunyuan-image", "found from text_encoder"),
        ({"qwen3": True, "vae": True}, "anima", "found from qwen3"),
        ({"network_module": "networks.lora_sd3"}, "sd3", "found from network_module networks.lora_sd3"),
        ({"network_module": "networks.oft_flux"}, "flux", "found from network_module networks.oft_flux"),
        ({"network_module": "networks.lora"}, "sd15", "default"),
        ({"v2": False}, "sd15", "default"),
        ({"clip_g": "", "qwen3": None, "family": None, "network_module": ""}, "sd15", "default"),
        ({"ae": True}, "sd15", "default"),
    ],
)
def test_the_keys_tell_the_family(tmp_path: Path, values: dict[str, Any], family: str, source: str) -> None:
    settings, _ = resolved(tmp_path, values)
    assert (settings.family.name, settings.family_source) == (family, source)


@pytest.mark.parametrize("family", TENSORS)
def test_the_tensors_of_the_base_model_tell_the_family(odd_path: Path, family: str) -> None:
    settings, _ = resolved(odd_path, {}, tensors=TENSORS[family])
    assert settings.family is FAMILIES[family]
    assert settings.family_source == f"found from the tensors of {MODEL}.safetensors"


def test_a_family_that_is_named_is_not_looked_for(tmp_path: Path) -> None:
    settings, _ = resolved(tmp_path, {"family": "lumina"}, tensors=TENSORS["flux"])
    assert (settings.family.name, settings.family_source) == ("lumina", "config.json")
    settings, _ = resolved(tmp_path, {"family": "lumina"}, overrides={"family": "sdxl"})
    assert (settings.family.name, settings.family_source) == ("sdxl", "command line")


@pytest.mark.parametrize(("family", "source"), [("chroma", "the tensors"), ("flux", "ae and t5xxl")])
def test_chroma_is_told_from_flux_by_its_tensors(tmp_path: Path, family: str, source: str) -> None:
    """Both are trained with `ae` and `t5xxl`; a model file that tells nothing is left to be FLUX."""
    tensors = TENSORS["chroma"] if family == "chroma" else ["a"]
    settings, _ = resolved(tmp_path, {"ae": True, "t5xxl": True}, tensors=tensors)
    assert settings.family.name == family
    assert source in settings.family_source


@pytest.mark.parametrize("model", ["", None, "owner/name", "nowhere.safetensors", 5, ["a"], {"a": 1}, "x" * 5000])
def test_without_a_model_to_look_into_it_is_the_default(tmp_path: Path, model: Any) -> None:
    settings, _ = resolved(tmp_path, {MODEL: model})
    assert (settings.family.name, settings.family_source) == ("sd15", "default")


@pytest.mark.parametrize(
    ("family", "implied"),
    [
        ("sd15", {}),
        ("sd2", {"v2": True}),
        ("sdxl", {}),
        ("flux", {"model_type": "flux"}),
        ("chroma", {"model_type": "chroma", "apply_t5_attn_mask": True}),
    ],
)
def test_what_a_family_implies_is_set(tmp_path: Path, family: str, implied: dict[str, Any]) -> None:
    settings, _ = resolved(tmp_path, {"family": family})
    assert {name: settings[name] for name in ("v2", "model_type", "apply_t5_attn_mask") if settings[name]} == implied
    assert settings["network_module"] == FAMILIES[family].network_module


@pytest.mark.parametrize(
    ("values", "says", "fix"),
    [
        ({"family": "sd15", "v2": True}, "v2 is true, but the family is sd15", "`v2` stands for the family sd2"),
        ({"family": "sd2", "v2": False}, "v2 is false, but the family is sd2", "trained with true"),
        ({"family": "sdxl", "v2": True}, "v2 is true, but the family is sdxl", "`v2` stands for the family sd2"),
        ({"family": "flux", "model_type": "chroma"}, "model_type is chroma, but", "stands for the family chroma"),
        ({"family": "chroma", "model_type": "flux"}, "model_type is flux, but", "stands for the family flux"),
        ({"family": "chroma", "apply_t5_attn_mask": False}, "apply_t5_attn_mask is false", "trained with true"),
    ],
)
def test_an_option_that_says_another_family_is_refused(
    tmp_path: Path, values: dict[str, Any], says: str, fix: str
) -> None:
    _, problems = resolved(tmp_path, values)
    problem = only(p for p in problems if p.code != "config.model.missing")
    assert (problem.code, problem.severity) == ("config.family.conflict", "error")
    assert problem.message.startswith("config.json line 4: ")
    assert says in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("name", "meant"), [("sd 1.5", "sd15"), ("sd35", "sd3"), ("hunyuan_image", "hunyuan-image"), ("wan", "sd15")]
)
def test_an_unknown_family_is_refused_with_the_one_that_was_meant(tmp_path: Path, name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolved(tmp_path, {"family": name})
    problem = refusal(caught.value, ConfigError, "config.family", "config.json line 3", repr(name), *FAMILIES)
    assert f'"family": "{meant}"' in problem.fix
