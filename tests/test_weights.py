"""The header of a weights file, and every file that is none."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.weights import (
    MAX_BASE_MODEL_HEADER_BYTES,
    MAX_HEADER_BYTES,
    Tensor,
    WeightsFileError,
    base_model_family,
    read_weights_file,
    sha256_of,
)
from tests.given import outcome
from tests.stand_in import write_safetensors

_NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _with_header(path: Path, header: Any, data: bytes = b"") -> Path:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def _why_not(path: Path) -> str:
    with pytest.raises(WeightsFileError) as caught:
        read_weights_file(path)
    assert path.name in str(caught.value)
    return str(caught.value)


@settings(deadline=None)
@given(
    values=st.dictionaries(_NAMES, st.lists(st.floats(width=32), max_size=4), max_size=4),
    metadata=st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3),
)
def test_names_shapes_and_metadata_are_read(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, list[float]], metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    write_safetensors(path, values, metadata)
    file = read_weights_file(path)
    assert dict(file.tensors) == {name: Tensor("F32", (len(numbers),)) for name, numbers in values.items()}
    assert dict(file.metadata) == metadata
    assert (file.path, file.size_bytes) == (path, path.stat().st_size)


def test_a_file_is_read_wherever_it_lies(odd_path: Path) -> None:
    path = odd_path / 'it\'s "my" ñ.safetensors'
    write_safetensors(path, {"a": [1.0, 2.0]}, {"ss_steps": "7"})
    assert read_weights_file(path).trained_steps == 7


def test_a_file_without_metadata_is_whole(tmp_path: Path) -> None:
    path = _with_header(
        tmp_path / "a.safetensors", {"a": {"dtype": "BF16", "shape": [], "data_offsets": [0, 2]}}, b"ab"
    )
    file = read_weights_file(path)
    assert dict(file.tensors) == {"a": Tensor("BF16", ())}
    assert dict(file.metadata) == {}
    assert file.trained_steps is None


@pytest.mark.parametrize(
    ("text", "steps"), [("0", 0), ("40", 40), ("-15", -15), ("None", None), ("", None), ("4.5", None), ("--5", None)]
)
def test_the_trained_steps_are_what_the_trainer_says(tmp_path: Path, text: str, steps: int | None) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {}, {"ss_steps": text})
    assert read_weights_file(path).trained_steps == steps


@pytest.mark.parametrize("missing", [1, 7, 8])
def test_a_file_that_is_cut_in_its_tensors_is_refused(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": [1.0], "b": [2.0]})
    path.write_bytes(path.read_bytes()[:-missing])
    assert f"{missing} bytes are missing" in _why_not(path)


def test_a_file_with_bytes_too_many_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": [1.0]})
    path.write_bytes(path.read_bytes() + b"xyz")
    assert "3 bytes follow" in _why_not(path)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_a_file_too_short_for_a_header_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"x" * size)
    assert f"{size} bytes" in _why_not(path)


@pytest.mark.parametrize("length", [1000, MAX_HEADER_BYTES + 1, 2**64 - 1])
def test_a_header_that_is_longer_than_its_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    assert "cut inside its header" in _why_not(path)


@pytest.mark.parametrize(
    "header",
    [
        b"no JSON",
        b"\xff\xfe{}",
        [],
        5,
        None,
        {"a": None},
        {"a": 5},
        {"a": []},
        {"a": {}},
        {"a": {"dtype": "F32", "shape": [1]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}},
        {"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 0]}},
        {"__metadata__": None},
        {"__metadata__": ["ss_steps"]},
        {"__metadata__": {"ss_steps": 5}},
        b"[" * 100_000,
    ],
    ids=lambda header: repr(header)[:60],
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, header: Any) -> None:
    assert "header" in _why_not(_with_header(tmp_path / "a.safetensors", header))


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from(("a", "__metadata__")), _JSON) | _JSON, data=st.binary(max_size=8))
def test_any_header_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, header: Any, data: bytes) -> None:
    path = _with_header(tmp_path_factory.getbasetemp() / "header.safetensors", header, data)
    try:
        file = read_weights_file(path)
    except WeightsFileError:
        return
    assert all(isinstance(name, str) and isinstance(text, str) for name, text in file.metadata.items())
    assert file.trained_steps is None or file.trained_steps >= -(10**6)


@settings(deadline=None)
@given(content=st.binary(max_size=60))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.safetensors"
    path.write_bytes(content)
    file, refused = outcome(WeightsFileError, lambda: read_weights_file(path))
    if file is None:
        assert path.name in str(refused)
    else:
        assert file.size_bytes == len(content)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_weights_file(tmp_path / "missing.safetensors")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_the_hash_is_over_every_byte(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


# --- the family of a base model -------------------------------------------------------------------------------------

_FLUX = ("double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight")
_SD = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_DIFFUSERS_UNET = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
_REFINER = ("cap_embedder.0.weight", "noise_refiner.0.attention.qkv.weight")


def _model(path: Path, *names: str, width: int = 8) -> Path:
    """Returns a file whose tensors are matrices of this width; it is cut after its header, as of a broken download."""
    header = {name: {"dtype": "F16", "shape": [4, width], "data_offsets": [0, 8 * width]} for name in names}
    return _with_header(path, {"__metadata__": {"format": "pt"}, **header})


@pytest.mark.parametrize(
    ("family", "names", "width"),
    [
        ("sd15", [_SD], 768),
        ("sd2", [_SD], 1024),
        ("sdxl", ["model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"], 2048),
        ("sd15", [_DIFFUSERS_UNET], 768),
        ("sdxl", [_DIFFUSERS_UNET.replace("down_blocks.0", "down_blocks.1")], 2048),
        ("sd15", [_SD, "cond_stage_model.transformer.text_model.final_layer_norm.weight"], 5),
        ("sd2", [_SD, "cond_stage_model.model.ln_final.weight"], 5),
        ("sdxl", [_SD, "conditioner.embedders.1.model.ln_final.weight"], 5),
        (None, [_SD], 5),
        ("sd3", ["joint_blocks.0.x_block.attn.qkv.weight", "pos_embed"], 8),
        ("sd3", ["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "text_encoders.clip_g.a"], 8),
        ("flux", _FLUX, 8),
        ("flux", [f"model.diffusion_model.{name}" for name in _FLUX], 8),
        ("flux", ["transformer_blocks.0.attn.add_k_proj.weight", "single_transformer_blocks.0.attn.to_k.weight"], 8),
        ("chroma", [*_FLUX, "distilled_guidance_layer.in_proj.weight"], 8),
        ("lumina", _REFINER, 8),
        ("lumina", [f"model.diffusion_model.{name}" for name in _REFINER], 8),
        (None, [*_REFINER, "cap_pad_token"], 8),  # Z-Image
        (None, [*_FLUX, "double_stream_modulation_img.lin.weight"], 8),  # FLUX.2
        ("hunyuan-image", ["double_blocks.0.img_attn_qkv.weight", "byt5_in.fc1.weight"], 8),
        (None, ["double_blocks.0.img_attn_qkv.weight", "txt_in.x"], 8),  # HunyuanVideo
        ("anima", ["llm_adapter.blocks.0.cross_attn.k_proj.weight", "blocks.0.adaln_modulation_mlp.1.weight"], 8),
        (None, ["net.blocks.0.adaln_modulation_mlp.1.weight"], 8),  # Cosmos-Predict 2
        (None, ["lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"], 8),
        (None, ["first_stage_model.encoder.conv_in.weight"], 8),
        (None, [], 8),
    ],
)
def test_a_base_model_is_told_by_the_names_of_its_tensors(
    odd_path: Path, family: str | None, names: list[str], width: int
) -> None:
    assert base_model_family(_model(odd_path / "base model.safetensors", *names, width=width)) == family


@pytest.mark.parametrize(
    ("family", "pipeline", "width"),
    [
        ("sd15", "StableDiffusionPipeline", 768),
        ("sd2", "StableDiffusionPipeline", 1024),
        ("sd15", "StableDiffusionInpaintPipeline", 768),
        ("sdxl", "StableDiffusionXLPipeline", 2048),
        ("sd3", "StableDiffusion3Pipeline", None),
        ("flux", "FluxPipeline", None),
        ("chroma", "ChromaPipeline", None),
        ("lumina", "Lumina2Pipeline", None),
        ("hunyuan-image", "HunyuanImagePipeline", None),
        (None, "StableDiffusionPipeline", None),
        (None, "StableDiffusionPipeline", 32),
        (None, "StableDiffusionPipeline", [768]),
        (None, "WanPipeline", 768),
        (None, "LuminaText2ImgPipeline", None),
        (None, None, 768),
        (None, ["FluxPipeline"], None),
    ],
)
def test_a_diffusers_folder_is_told_by_its_configs(
    odd_path: Path, family: str | None, pipeline: Any, width: Any
) -> None:
    (odd_path / "unet").mkdir()
    (odd_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}), encoding="utf-8")
    (odd_path / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": width}), encoding="utf-8")
    assert base_model_family(odd_path) == family


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000, b'{"_class_name": "Flux' + b"x" * 1_000_000 + b'"}'],
)
def test_a_folder_with_a_strange_index_tells_nothing(tmp_path: Path, content: bytes) -> None:
    assert base_model_family(tmp_path) is None
    (tmp_path / "model_index.json").write_bytes(content)
    assert base_model_family(tmp_path) is None


def test_a_header_that_no_base_model_has_is_not_parsed(tmp_path: Path) -> None:
    padded = json.dumps({name: {"dtype": "F16", "shape": [], "data_offsets": [0, 0]} for name in _FLUX}).encode()
    largest = padded.ljust(MAX_BASE_MODEL_HEADER_BYTES)
    assert base_model_family(_with_header(tmp_path / "a.safetensors", largest)) == "flux"
    assert base_model_family(_with_header(tmp_path / "b.safetensors", largest + b" ")) is None


def test_what_is_no_model_tells_nothing(tmp_path: Path) -> None:
    assert base_model_family(tmp_path / "missing") is None
    assert base_model_family(tmp_path / ("x" * 5000)) is None
    assert base_model_family(Path("a\0b")) is None
    pickled = tmp_path / "model.ckpt"
    pickled.write_bytes(b"PK\x03\x04" + b"double_blocks.0.img_attn.qkv.weight" * 9)
    assert base_model_family(pickled) is None


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from((_SD, *_FLUX)), _JSON) | _JSON)
def test_any_header_tells_a_family_or_none(tmp_path_factory: pytest.TempPathFactory, header: Any) -> None:
    path = _with_header(tmp_path_factory.getbasetemp() / "family.safetensors", header)
    assert base_model_family(path) in (None, "flux", "sd15", "sd2", "sdxl")
