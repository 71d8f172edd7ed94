"""The size of a LoRA file from its settings; tests/trainer compares it with the trainer's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.config.families import FAMILIES
from loratpl.plan.disk.lora import LoraSize, UnknownSize, lora_size
from loratpl.plan.disk.lora_file import SavedTensor, header_bytes, tensor_bytes
from loratpl.plan.disk.lora_layers import in_table, layers_of
from loratpl.weights import read_weights_file
from tests.given import MODEL, resolved
from tests.plan.disk.headers import Shapes, table_shapes, write_header, write_table_model

MB = 1_000_000
WITH_TEXT = {"network_train_unet_only": False, "cache_text_encoder_outputs": False}


def size_of(folder: Path, **values: Any) -> LoraSize:
    found = lora_size(resolved(folder, values)[0])
    assert isinstance(found, LoraSize), found
    return found


def why_unknown(folder: Path, **values: Any) -> str:
    found = lora_size(resolved(folder, values)[0])
    assert isinstance(found, UnknownSize)
    return found.reason


@pytest.mark.parametrize(
    ("family", "dim", "values", "modules", "megabytes"),
    [
        # In megabytes of 10^6 bytes. A guide to resizing (civitai.com/articles/10659) gives 217 MiB for SD XL, and
        # 307 MB for FLUX.1 at twice this rank; the others follow from the shapes of the layers.
        ("sd15", 32, {}, 264, 37.9),
        ("sd15", 128, {}, 264, 151.1),
        ("sdxl", 32, {}, 986, 228.5),
        ("sdxl", 32, {"network_train_unet_only": True}, 722, 170.5),
        ("flux", 16, {}, 304, 153.3),
        ("flux", 16, WITH_TEXT, 376, 158.6),
    ],
)
def test_sizes_that_are_known_from_published_files(
    tmp_path: Path, family: str, dim: int, values: dict[str, Any], modules: int, megabytes: float
) -> None:
    size = size_of(tmp_path, family=family, network_dim=dim, save_precision="fp16", **values)
    assert size.modules == modules
    assert size.file_bytes / MB == pytest.approx(megabytes, abs=0.15)


def test_every_family_but_one_is_known_without_a_model(tmp_path: Path) -> None:
    for name in FAMILIES:
        found = lora_size(resolved(tmp_path / name, {"family": name})[0])
        assert isinstance(found, UnknownSize) is (name == "sd3"), (name, found)


def test_stable_diffusion_3_is_sized_by_its_file(tmp_path: Path) -> None:
    assert "not at hand" in why_unknown(tmp_path, family="sd3")
    write_table_model(tmp_path / "sd3.safetensors", "sd3")
    size = size_of(tmp_path, family="sd3", pretrained_model_name_or_path="sd3.safetensors")
    assert size.modules == 263
    assert size.parameters == sum(
        16 * (layer.shape[0] + layer.shape[1]) for layer in in_table("sd3", "unet") if layer.block
    )


def test_a_flux_with_fewer_blocks(tmp_path: Path) -> None:
    """A pruned FLUX.1, in the names of its makers and in those of Diffusers."""
    full = table_shapes("flux")
    pruned = {
        name: shape for name, shape in full.items() if not name.startswith(("double_blocks.18.", "single_blocks.37."))
    }
    write_header(tmp_path / "flux.safetensors", pruned)
    of_makers = size_of(tmp_path, family="flux", pretrained_model_name_or_path="flux.safetensors")
    assert of_makers.modules == 304 - 10 - 3
    renamed: Shapes = {
        **{f"transformer_blocks.{number}.attn.add_k_proj.weight": (3072, 3072) for number in range(18)},
        **{f"single_transformer_blocks.{number}.attn.to_k.weight": (3072, 3072) for number in range(37)},
    }
    write_header(tmp_path / "diffusers.safetensors", renamed)
    of_diffusers = size_of(tmp_path, family="flux", pretrained_model_name_or_path="diffusers.safetensors")
    assert (of_diffusers.modules, of_diffusers.tensor_bytes) == (of_makers.modules, of_makers.tensor_bytes)


def test_a_folder_of_several_files_is_counted_whole(tmp_path: Path) -> None:
    for number, blocks in ((1, range(10)), (2, range(10, 19))):
        names: Shapes = {f"transformer_blocks.{block}.attn.add_k_proj.weight": (8, 8) for block in blocks}
        names = {**names, **{f"single_transformer_blocks.{block}.attn.to_k.weight": (8, 8) for block in blocks}}
        name = f"diffusion_pytorch_model-{number:05}-of-00002.safetensors"
        write_header(tmp_path / "flux" / "transformer" / name, names)
    assert size_of(tmp_path, family="flux", pretrained_model_name_or_path="flux").modules == 19 * 10 + 19 * 3


def test_both_text_encoders_of_sdxl_are_told_apart_in_one_file(tmp_path: Path) -> None:
    shapes = {
        **table_shapes("sdxl", prefix="model.diffusion_model."),
        **table_shapes("sdxl", "te1", prefix="conditioner.embedders.0.transformer."),
        "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight": (3840, 1280),
    }
    write_header(tmp_path / "sdxl.safetensors", shapes)
    with_file = size_of(tmp_path, family="sdxl", pretrained_model_name_or_path="sdxl.safetensors")
    assert with_file == size_of(tmp_path, family="sdxl")


def test_the_text_encoder_of_a_diffusers_folder_is_its_own(tmp_path: Path) -> None:
    shapes = {name: shape for name, shape in table_shapes("sd15", "te").items() if ".layers.11." not in name}
    write_header(tmp_path / "sd" / "text_encoder" / "model.safetensors", shapes)
    assert size_of(tmp_path, family="sd15", pretrained_model_name_or_path="sd").modules == 264 - 6


def test_a_file_that_cannot_be_read_counts_as_none(odd_path: Path) -> None:
    (odd_path / "cut.safetensors").write_bytes(b"\xff" * 20)
    assert size_of(odd_path, family="flux", pretrained_model_name_or_path="cut.safetensors").modules == 304


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"network_module": "lycoris.kohya"}, "lycoris.kohya"),
        ({"network_module": "networks.dylora"}, "networks.dylora"),
        ({"network_module": "networks.oft"}, "networks.oft"),
        ({"network_args": ["down_lr_weight=cosine"]}, "by block"),
        ({"network_args": ["conv_dim=many"]}, "conv_dim is many"),
        ({"network_args": ["block_dims=1,2"]}, "must name 25"),
        ({"network_args": ["block_dims=" + "1," * 24 + "1", "block_alphas=" + "x," * 24 + "x"]}, "no number"),
        ({"dim_from_weights": True}, "network_weights"),
        ({"family": "flux", "network_args": ["split_qkv=True"]}, "split_qkv"),
        ({"family": "flux", "network_args": ["train_blocks=some"]}, "train_blocks cannot be some"),
        ({"family": "flux", "network_args": ["train_double_block_indices=19"]}, "no blocks 19"),
        ({"family": "flux", "network_args": ["train_single_block_indices=0-99999999999"]}, "no blocks"),
        ({"family": "flux", "network_args": ["single_dim=-4"]}, "no rank -4"),
        ({"family": "flux", "network_args": ["network_reg_dims=(=3"]}, "no pattern"),
        ({"family": "lumina", "network_args": ["split_qkv=True"]}, "when it saves"),
        ({"family": "lumina", "network_args": ["train_blocks=some"]}, "train_blocks cannot be some"),
        ({"family": "anima", "network_args": ["exclude_patterns=.*"]}, "no list of patterns"),
        ({"family": "sdxl", "network_module": "networks.lora_fa", "network_args": ["block_dims=1"]}, "lora_fa"),
    ],
)
def test_what_is_not_modelled_is_said_and_not_guessed(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    assert reason in why_unknown(tmp_path, **values)


def test_layers_of_another_commit_are_not_taken(tmp_path: Path) -> None:
    table = tmp_path / "modules.json"
    table.write_text('{"schema": 1, "commit": "0123456789", "families": {}}', encoding="utf-8")
    found = lora_size(resolved(tmp_path)[0], table)
    assert isinstance(found, UnknownSize)
    assert "01234567" in found.reason


@pytest.mark.parametrize(
    ("precision", "values", "bytes_of_number", "bytes_of_alpha"),
    [
        ("fp16", {}, 2, 2),
        ("bf16", {}, 2, 2),
        ("float", {}, 4, 4),
        ("float", {"network_alpha": 0}, 4, 4),
        (False, {}, 4, 4),
        (False, {"network_alpha": 0}, 4, 8),
        (False, {"full_fp16": True, "mixed_precision": "fp16"}, 2, 2),
        (False, {"full_bf16": True, "mixed_precision": "bf16", "network_alpha": 0}, 2, 8),
    ],
)
def test_the_precision_of_weights_and_alphas(
    tmp_path: Path, precision: Any, values: dict[str, Any], bytes_of_number: int, bytes_of_alpha: int
) -> None:
    size = size_of(tmp_path, save_precision=precision, **values)
    assert size.tensor_bytes == size.parameters * bytes_of_number + size.modules * bytes_of_alpha


def test_only_half_of_lora_fa_is_trained(tmp_path: Path) -> None:
    whole, half = size_of(tmp_path), size_of(tmp_path, network_module="networks.lora_fa")
    assert whole.tensor_bytes == half.tensor_bytes
    assert half.trained_parameters < whole.trained_parameters == whole.parameters == half.parameters


def test_without_metadata_the_file_is_smaller(tmp_path: Path) -> None:
    assert size_of(tmp_path, no_metadata=True).file_bytes < size_of(tmp_path).file_bytes


def test_other_kinds_of_file_hold_the_same_tensors(tmp_path: Path) -> None:
    whole, archive = size_of(tmp_path), size_of(tmp_path, save_model_as="pt")
    assert (archive.tensor_bytes, archive.header_bytes) == (whole.tensor_bytes, 0)
    assert archive.file_bytes > archive.tensor_bytes


def test_a_header_is_as_long_as_the_library_writes_it(tmp_path: Path) -> None:
    """Wide types first, names in order, filled up to eight: the bytes of a file that has been written so by hand."""
    tensors = [SavedTensor("b", "F32", (2, 3)), SavedTensor("a", "F16", (4,)), SavedTensor("c", "I64", ())]
    header = (
        '{"c":{"dtype":"I64","shape":[],"data_offsets":[0,8]},'
        '"b":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},'
        '"a":{"dtype":"F16","shape":[4],"data_offsets":[32,40]}}'
    )
    padded = header + " " * (-len(header) % 8)
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(padded).to_bytes(8, "little") + padded.encode() + bytes(tensor_bytes(tensors)))
    assert {name: tensor.shape for name, tensor in read_weights_file(path).tensors.items()} == {
        tensor.name: tensor.shape for tensor in tensors
    }
    assert header_bytes(tensors, 0) + tensor_bytes(tensors) == path.stat().st_size


def test_parts_that_are_not_asked_for_are_not_looked_at(tmp_path: Path) -> None:
    settings, _ = resolved(tmp_path, {"family": "sdxl", "pretrained_model_name_or_path": MODEL})
    assert {layer.part for layer in layers_of(settings, frozenset({"te2"}))} == {"te2"}
