"""What a file is: its network, whose names it has, its base model, and what of that it leaves as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loratpl.report.inspect import Inspection, inspect_file
from loratpl.report.inspect.coverage import Block
from loratpl.report.inspect.family import FAMILIES
from loratpl.ui.inspect_text import inspection_lines
from tests.report.inspect.made_files import family_lora, lora, weights_file

LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


def inspected(folder: Path, tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> Inspection:
    found = inspect_file(weights_file(folder / "a.safetensors", tensors, metadata))
    assert found.problems == ()
    return found


def text_of(found: Inspection) -> str:
    return " ".join("\n".join(inspection_lines([found])).split())


def numbers(*shape: int) -> Any:
    return np.ones(shape, np.float16)


NETWORKS: dict[str, tuple[dict[str, Any], dict[str, str], str, int | None]] = {
    "LoRA": (lora(LAYER), {}, "LoRA", 4),
    "LoRA of a point": (lora(LAYER, shape=(8, 6, 1, 1)), {}, "LoRA", 4),
    "LoCon": (lora(LAYER, shape=(8, 6, 3, 3)), {}, "LoCon (LoRA with wide convolutions)", 4),
    "LoCon with Tucker": (
        {f"{LAYER}.lora_down.weight": numbers(4, 6, 1, 1), f"{LAYER}.lora_mid.weight": numbers(4, 4, 3, 3),
         f"{LAYER}.lora_up.weight": numbers(8, 4, 1, 1)},
        {}, "LoCon (LoRA with wide convolutions)", 4,
    ),
    "DyLoRA": (lora(LAYER), {"ss_network_module": "networks.dylora"}, "DyLoRA", 4),
    "DyLoRA of LyCORIS": (
        lora(LAYER), {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "dylora"}'}, "DyLoRA", 4,
    ),
    "LoRA-FA": (lora(LAYER), {"ss_network_module": "networks.lora_fa"}, "LoRA-FA", 4),
    "LoHa": (
        {f"{LAYER}.hada_w1_a": numbers(8, 3), f"{LAYER}.hada_w1_b": numbers(3, 6), f"{LAYER}.hada_w2_a": numbers(8, 3),
         f"{LAYER}.hada_w2_b": numbers(3, 6), f"{LAYER}.alpha": numbers()},
        {}, "LoHa", 3,
    ),
    "LoKr": ({f"{LAYER}.lokr_w1": numbers(2, 2), f"{LAYER}.lokr_w2": numbers(4, 3)}, {}, "LoKr", None),
    "LoKr of low rank": (
        {f"{LAYER}.lokr_w1": numbers(2, 2), f"{LAYER}.lokr_w2_a": numbers(4, 2), f"{LAYER}.lokr_w2_b": numbers(2, 3)},
        {}, "LoKr", 2,
    ),
    "OFT": ({"oft_unet_mid_block.oft_blocks": numbers(4, 8, 8), "oft_unet_mid_block.alpha": numbers()}, {}, "OFT", 4),
    "BOFT": ({f"{LAYER}.oft_blocks": numbers(3, 5, 4, 4)}, {}, "BOFT", 5),
    "GLoRA": (
        {f"{LAYER}.a1.weight": numbers(2, 6), f"{LAYER}.a2.weight": numbers(6, 2), f"{LAYER}.b1.weight": numbers(2, 6),
         f"{LAYER}.b2.weight": numbers(8, 2)},
        {}, "GLoRA", 2,
    ),
    "(IA)³": ({f"{LAYER}.weight": numbers(8), f"{LAYER}.on_input": np.array(False)}, {}, "(IA)³", None),
    "full": ({f"{LAYER}.diff": numbers(8, 6), f"{LAYER}.diff_b": numbers(8)}, {}, "full difference", None),
    "norm": ({f"{LAYER}.w_norm": numbers(8), f"{LAYER}.b_norm": numbers(8)}, {}, "normalisation layer", None),
    "DoRA": ({**lora(LAYER), f"{LAYER}.dora_scale": numbers(8, 1)}, {}, "DoRA", 4),
    "DoRA of PEFT": (
        {"base_model.model.x.lora_A.weight": numbers(4, 6), "base_model.model.x.lora_B.weight": numbers(8, 4),
         "base_model.model.x.lora_magnitude_vector": numbers(8)},
        {}, "DoRA", 4,
    ),
    "mixed": ({**lora(f"{LAYER}_a"), **lora(f"{LAYER}_b"), f"{LAYER}.w_norm": numbers(8)}, {},
              "LoRA (2) and normalisation layer (1)", 4),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_is_told_by_its_tensors(tmp_path: Path, kind: str) -> None:
    tensors, metadata, network, dim = NETWORKS[kind]
    found = inspected(tmp_path, tensors, metadata)
    assert found.kind == "adapter"
    assert found.network == network
    assert {module.dim for module in found.modules} - {None} == {dim} - {None}
    assert found.others == ()
    assert network in text_of(found)


NAMES = {
    "sd-scripts": lora(LAYER),
    "OneTrainer": lora("lora_transformer_transformer_blocks_0_attn_to_q"),
    "LyCORIS' own wrapper": lora("lycoris_transformer_blocks_0_attn_to_q"),
    "Diffusers with PEFT": lora("unet.mid_block.attentions.0.proj_in", ends=("lora_A.weight", "lora_B.weight")),
    "Diffusers": lora("unet.mid_block.attentions.0.proj_in", ends=("lora.down.weight", "lora.up.weight")),
    "Diffusers before PEFT": lora(
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor",
        ends=("to_q_lora.down.weight", "to_q_lora.up.weight"),
        alpha=None,
    ),
    "PEFT": lora("base_model.model.mid_block.x", ends=("lora_A.weight", "lora_B.weight"), alpha=None),
    "ComfyUI": lora("diffusion_model.double_blocks.0.img_attn.qkv", ends=("lora_A.weight", "lora_B.weight")),
    "XLabs": lora("double_blocks.0.processor", ends=("proj_lora1.down.weight", "proj_lora1.up.weight"), alpha=None),
    "": lora("something.else"),
}


def test_whose_names_they_are_is_told(tmp_path: Path) -> None:
    assert {naming: inspected(tmp_path, tensors).naming for naming, tensors in NAMES.items()} == {
        naming: naming for naming in NAMES
    }


PROGRAMS = {
    "ai-toolkit": {"software": json.dumps({"name": "ai-toolkit"}), "ss_base_model_version": "flux1"},
    "OneTrainer": {"ot_branch": "master", "modelspec.architecture": "stable-diffusion-xl-v1-base/lora"},
    "musubi-tuner": {"ss_network_module": "networks.lora_wan", "modelspec.architecture": "wan2.1/lora"},
    "sd-scripts with LyCORIS": {"ss_network_module": "lycoris.kohya"},
    "sd-scripts": {"ss_network_module": "networks.lora"},
    "Diffusers": {"lora_adapter_metadata": "{}", "format": "pt"},
    "": {"format": "pt"},
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_is_told_by_its_metadata(tmp_path: Path, program: str) -> None:
    assert inspected(tmp_path, lora(LAYER), PROGRAMS[program]).program == program


# --- the base model


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_told_by_names_and_sizes_alone(tmp_path: Path, family: str) -> None:
    found = inspected(tmp_path, family_lora(family, every=3))
    assert found.guess.families == (family,)
    assert found.guess.differing == 0
    assert found.guess.matched == len(found.modules)
    assert FAMILIES[family] in text_of(found)


@pytest.mark.parametrize("part", ["te", "te1", "te2"])
def test_text_encoders_alone_tell_what_they_can(tmp_path: Path, part: str) -> None:
    family = {"te": "sd2", "te1": "sdxl", "te2": "sdxl"}[part]
    found = inspected(tmp_path, family_lora(family, parts=(part,), every=2))
    assert family in found.guess.families
    assert any(text.startswith(("the U-Net", "the transformer")) for text in found.untrained)


def test_layers_that_two_families_have_are_said_to_be_of_both_unless_the_file_says_which(tmp_path: Path) -> None:
    tensors = lora("lora_unet_double_blocks_0_img_attn_proj", shape=(3072, 3072), dim=1)
    assert inspected(tmp_path, tensors).guess.families == ("flux", "chroma")
    said = inspected(tmp_path, tensors, {"ss_base_model_version": "chroma"})
    assert said.guess.families == ("chroma",)
    assert "FLUX.1 or Chroma" in text_of(inspected(tmp_path, tensors))


def test_a_file_that_names_another_family_than_its_layers_is_told(tmp_path: Path) -> None:
    found = inspected(tmp_path, family_lora("sd15"), {"ss_base_model_version": "sdxl_base_v1-0"})
    assert found.guess.families == ("sd15",)
    assert "though the file says another" in text_of(found)


def test_layers_of_another_size_are_told(tmp_path: Path) -> None:
    found = inspected(tmp_path, lora(LAYER), {"ss_base_model_version": "sd_v1"})
    assert (found.guess.families, found.guess.matched, found.guess.differing) == (("sd15",), 0, 1)
    assert "in other sizes" in text_of(found)


@pytest.mark.parametrize(
    ("module", "shape", "family"),
    [
        ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", (640, 2048), "sdxl"),
        ("unet.up_blocks.0.resnets.0.conv_shortcut", (1280, 2560, 1, 1), "sdxl"),
        ("transformer.single_transformer_blocks.3.attn.to_q", (3072, 3072), "flux"),
        ("transformer.transformer_blocks.3.attn.add_k_proj", (1536, 1536), "sd3"),
    ],
)
def test_names_of_diffusers_are_told_as_well(tmp_path: Path, module: str, shape: tuple[int, ...], family: str) -> None:
    found = inspected(tmp_path, lora(module, shape=shape, dim=1, ends=("lora_A.weight", "lora_B.weight")))
    assert family in found.guess.families


@pytest.mark.parametrize(
    ("module", "title"),
    [
        ("transformer.transformer_blocks.3.attn.add_k_proj", "Qwen-Image"),
        ("transformer.transformer_blocks.3.img_mlp.net.2", "Qwen-Image"),
        ("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", "FLUX.2"),
        ("diffusion_model.blocks.0.self_attn.q", "Wan"),
        ("diffusion_model.blocks.0.ffn.0", "Wan"),
        ("lora_unet_layers_0_attention_to_q", "Z-Image"),
        ("lora_unet_nothing_known", ""),
    ],
)
def test_models_that_sd_scripts_does_not_train_are_told_too(tmp_path: Path, module: str, title: str) -> None:
    found = inspected(tmp_path, lora(module, shape=(3072, 3072), dim=1))
    assert (found.guess.title, found.guess.families) == (title, ())
    assert "base model" in text_of(found)


# --- what is trained, and what is not


def test_blocks_have_their_dims_and_alphas(tmp_path: Path) -> None:
    tensors = {
        **lora("lora_te_text_model_encoder_layers_3_mlp_fc1", dim=2, alpha=1.0),
        **lora(LAYER, dim=4, alpha=2.0),
        **lora(f"{LAYER}_other", dim=8, alpha=2.0),
        **lora("lora_unet_mid_block_attentions_0_proj_in", dim=4, alpha=None),
        **lora("lora_unet_output_blocks_5_1_proj_in", dim=4, alpha=None),
    }
    assert inspected(tmp_path, tensors).blocks == (
        Block("te", "layer", 3, 1, (2,), (1.0,)),
        Block("unet", "down", 1, 2, (4, 8), (2.0,)),
        Block("unet", "mid", None, 1, (4,), ()),
        Block("unet", "up", 1, 1, (4,), ()),
    )


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64", "I64"])
def test_alphas_are_read_in_any_type(tmp_path: Path, dtype: str) -> None:
    bits = {
        "F16": np.array(12, np.float16), "F32": np.array(12, np.float32), "F64": np.array(12.0),
        "I64": np.array(12), "BF16": np.array(np.array(12, np.float32).view(np.uint32) >> 16, np.uint16),
    }[dtype]  # fmt: skip
    tensors = {**lora(LAYER, alpha=None), f"{LAYER}.alpha": (dtype, bits)}
    assert inspected(tmp_path, tensors).blocks[0].alphas == (12.0,)


def test_what_is_left_alone_is_told(tmp_path: Path) -> None:
    attention = {
        name: array for name, array in family_lora("sd15", every=1).items() if "_attn" in name and "_mid_" not in name
    }
    found = inspected(tmp_path, attention)
    said = "; ".join(found.untrained)
    assert "the text encoder (72 layers)" in said
    assert "all convolutions (50) of the U-Net" in said
    assert "all feed-forward layers (32) of the U-Net" in said
    assert "mid of the U-Net" in said
    assert "all attention" not in said
    parts = {part.part: (part.modules, part.layers) for part in found.parts}
    assert parts == {"te": (0, 72), "unet": (120, 278)}


def test_a_lora_of_all_leaves_nothing_alone(tmp_path: Path) -> None:
    found = inspected(tmp_path, family_lora("hunyuan-image", every=1, dim=1))
    assert found.untrained == ()
    assert "nothing is left out" in text_of(found)


def test_alphas_beside_the_tensors_count(tmp_path: Path) -> None:
    ends = ("lora_A.weight", "lora_B.weight")
    tensors = lora("base_model.model.mid_block.x", ends=ends, alpha=None)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 16, "base_model_name_or_path": "some/model"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    found = inspected(tmp_path, tensors)
    assert found.blocks[0].alphas == (16.0,)
    assert dict(found.peft)["base_model_name_or_path"] == "some/model"
    assert found.program == "PEFT"
    assert "some/model" in text_of(found)
    said = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 8, "unet.r": 4})}
    (tmp_path / "adapter_config.json").unlink()
    assert inspected(tmp_path, lora("unet.mid_block.x", ends=ends, alpha=None), said).blocks[0].alphas == (8.0,)


@pytest.mark.parametrize("content", [b"[" * 99_999, b"{}", b"\xff", b'{"peft_type": "LORA", "lora_alpha": NaN}'])
def test_a_config_that_is_none_is_left_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "adapter_config.json").write_bytes(content)
    found = inspected(tmp_path, lora("base_model.model.x", alpha=None))
    assert found.blocks[0].alphas == ()


# --- other files of tensors


def test_a_whole_model_is_told_from_an_adapter(tmp_path: Path) -> None:
    key = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    found = inspected(tmp_path, {key: numbers(320, 768), "model.diffusion_model.out.2.weight": numbers(4)})
    assert (found.kind, found.guess.families) == ("model", ("sd15",))
    assert "a whole model, no LoRA: Stable Diffusion 1.x" in text_of(found)


def test_textual_inversion_is_told(tmp_path: Path) -> None:
    assert inspected(tmp_path, {"emb_params": numbers(2, 768)}).kind == "embedding"
    bundled = inspected(tmp_path, {**lora(LAYER), "bundle_emb.ohwx.string_to_param.*": numbers(2, 768)})
    assert (bundled.kind, len(bundled.embeddings)) == ("adapter", 1)
    assert "textual inversion" in text_of(bundled)


def test_a_file_of_anything_else_is_told(tmp_path: Path) -> None:
    assert inspected(tmp_path, {"weight": numbers(2)}).kind == "other"
    assert inspected(tmp_path, {}).kind == "other"


def test_modules_of_which_a_part_is_missing_are_an_error(tmp_path: Path) -> None:
    tensors = {**lora(LAYER), **lora("lora_unet_mid_block_x")}
    del tensors[f"{LAYER}.lora_up.weight"]
    found = inspect_file(weights_file(tmp_path / "a.safetensors", tensors))
    (problem,) = found.problems
    assert problem.code == "project.weights.modules"
    assert LAYER in problem.message


def test_a_file_is_read_wherever_it_lies(odd_path: Path) -> None:
    path = weights_file(odd_path / 'it\'s "my" ñ.safetensors', lora(LAYER), hashed=True)
    found = inspect_file(path)
    assert found.problems == ()
    assert found.hash.state == "equal"
