"""The judge of tensors, run by path as the trainer's interpreter runs it, on files made byte by byte."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loratpl.resources import INSIDE_DIR

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Tensor:
    """A tensor of these bit patterns; its shape is their number unless given."""

    dtype: str
    bits: tuple[int, ...]
    shape: tuple[int, ...] | None = None

    @property
    def data(self) -> bytes:
        return b"".join(pattern.to_bytes(SIZES[self.dtype], "little") for pattern in self.bits)


def floats(*values: float, shape: tuple[int, ...] | None = None) -> Tensor:
    return Tensor("F32", struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values)), shape)


def file_of(header: object, data: bytes = b"") -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def weights(tensors: Mapping[str, Tensor]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"ss_steps": "6"}}
    data = b""
    for name, tensor in tensors.items():
        offsets = [len(data), len(data) + len(tensor.data)]
        shape = [len(tensor.bits)] if tensor.shape is None else list(tensor.shape)
        header[name] = {"dtype": tensor.dtype, "shape": shape, "data_offsets": offsets}
        data += tensor.data
    return file_of(header, data)


def judge(folder: Path, *paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, INSIDE_DIR / "judge.py", "--out", folder / "judged.json", *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def judged(folder: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    path = folder / "lora.safetensors"
    path.write_bytes(weights(tensors))
    done = judge(folder, path)
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads((folder / "judged.json").read_bytes())
    assert verdict["path"] == str(path)
    return dict(verdict)


# --- values that are no numbers


@pytest.mark.parametrize(
    ("dtype", "finite", "not_finite"),
    [
        ("F64", [0, 1, 1 << 63, 0x7FEF_FFFF_FFFF_FFFF], [0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48, (0x7FF0 << 48) + 1]),
        ("F32", [0, 1, 1 << 31, 0x7F7F_FFFF, 0xFF7F_FFFF], [0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F80_0001]),
        ("F16", [0, 1, 1 << 15, 0x7BFF, 0xFBFF], [0x7C00, 0xFC00, 0x7E00, 0x7C01]),
        ("BF16", [0, 1, 1 << 15, 0x7F7F, 0xFF7F], [0x7F80, 0xFF80, 0x7FC0, 0x7F81]),
        ("F8_E5M2", [*range(0x7C), *range(0x80, 0xFC)], [*range(0x7C, 0x80), *range(0xFC, 0x100)]),
        ("F8_E4M3", [*range(0x7F), *range(0x80, 0xFF)], [0x7F, 0xFF]),
        ("I64", [0, (1 << 64) - 1, 0x7FF0 << 48], []),
        ("U8", [*range(256)], []),
        ("BOOL", [0, 1], []),
    ],
)  # fmt: skip
def test_nan_and_infinity_are_found_in_every_type(
    tmp_path: Path, dtype: str, finite: list[int], not_finite: list[int]
) -> None:
    good = {f"good {bits:x}": Tensor(dtype, (bits,)) for bits in finite}
    bad = {f"bad {bits:x}": Tensor(dtype, (bits,)) for bits in not_finite}
    verdict = judged(tmp_path, {**good, **bad})
    assert verdict["tensors"] == len(finite) + len(not_finite)
    assert verdict["non_finite"] == list(bad)
    assert verdict["non_finite_count"] == len(bad)


@pytest.mark.parametrize("place", [0, (1 << 22) - 1, 1 << 22, (1 << 22) + 4])
def test_one_bad_value_is_found_wherever_it_is(tmp_path: Path, place: int) -> None:
    size = (1 << 22) + 5
    path = tmp_path / "lora.safetensors"
    data = bytearray(2 * size)
    data[2 * place : 2 * place + 2] = (0x7E00).to_bytes(2, "little")
    path.write_bytes(file_of({"x": {"dtype": "F16", "shape": [size], "data_offsets": [0, 2 * size]}}, bytes(data)))
    assert judge(tmp_path, path).returncode == 0
    (verdict,) = json.loads((tmp_path / "judged.json").read_bytes())
    assert verdict["non_finite"] == ["x"]


def test_many_bad_tensors_are_counted_and_some_named(tmp_path: Path) -> None:
    verdict = judged(tmp_path, {f"t{number}": floats(float("nan")) for number in range(50)})
    assert verdict["non_finite_count"] == 50
    assert verdict["non_finite"] == [f"t{number}" for number in range(20)]


def test_a_tensor_that_does_not_begin_at_a_multiple_of_its_size_is_read_right(tmp_path: Path) -> None:
    tensors = {"odd": Tensor("U8", (1,)), "x.lora_up.weight": floats(0.0, float("nan"))}
    assert judged(tmp_path, tensors)["non_finite"] == ["x.lora_up.weight"]


# --- what was trained

ZERO, MINUS_ZERO = floats(0.0, 0.0), floats(-0.0, -0.0)


@pytest.mark.parametrize(
    ("tensors", "trained", "trainable"),
    [
        ({"a.lora_up.weight": floats(0.0, 1e-30), "a.lora_down.weight": floats(1.0)}, 1, 1),
        ({"a.lora_up.weight": ZERO, "a.lora_down.weight": floats(1.0), "a.alpha": floats(4.0)}, 0, 1),
        ({"a.lora_up.weight": MINUS_ZERO}, 0, 1),
        ({"a.lora_up.weight": Tensor("BF16", (0x8000, 0)), "b.lora_up.weight": Tensor("BF16", (1, 0))}, 1, 2),
        ({"a.lora_up.weight": Tensor("F8_E4M3", (0x80,)), "b.lora_up.weight": Tensor("F8_E5M2", (0x81,))}, 1, 2),
        ({"a.lora_A.weight": floats(1.0), "a.lora_B.weight": ZERO, "b.lora_B.weight": floats(1.0)}, 1, 2),
        ({"a.lora_up.weight": floats(float("nan"))}, 1, 1),
        ({"a.oft_blocks": ZERO, "b.oft_blocks": floats(1.0, 2.0), "a.alpha": floats(4), "a.scale": floats(1)}, 1, 2),
        ({"a.alpha": floats(4.0)}, 0, 0),
        ({"ids": Tensor("I64", (1, 2))}, 0, 0),
        ({"a.lora_up.weight": Tensor("F32", (), (0, 4))}, 0, 1),
        ({}, 0, 0),
    ],
    ids=["trained", "untrained", "minus zero", "bf16", "fp8", "diffusers names", "nan is no zero", "without ups",
         "only a setting", "only integers", "empty tensor", "no tensors"],
)  # fmt: skip
def test_what_training_moved_is_told_from_what_it_did_not(
    tmp_path: Path, tensors: dict[str, Tensor], trained: int, trainable: int
) -> None:
    verdict = judged(tmp_path, tensors)
    assert (verdict["trained"], verdict["trainable"]) == (trained, trainable)


def test_the_parts_of_a_model_are_counted_apart(tmp_path: Path) -> None:
    one, none = floats(1.0), floats(0.0)
    verdict = judged(
        tmp_path,
        {
            "lora_te_layers_0_mlp_fc1.lora_up.weight": one,
            "lora_te1_text_model_a.lora_up.weight": one,
            "lora_te1_text_model_b.lora_up.weight": none,
            "lora_te3_encoder_a.lora_up.weight": none,
            "lora_unet_double_blocks_0.lora_up.weight": one,
            "lora_unet_double_blocks_0.lora_down.weight": none,
            "transformer.a.lora_B.weight": one,
            "lora_unetx_a.lora_up.weight": one,
        },
    )
    assert verdict["parts"] == {
        "te": {"trained": 1, "trainable": 1},
        "te1": {"trained": 1, "trainable": 2},
        "te3": {"trained": 0, "trainable": 1},
        "unet": {"trained": 1, "trainable": 1},
    }
    assert (verdict["trained"], verdict["trainable"]) == (5, 7)


def test_several_files_are_judged_in_the_order_given(odd_path: Path) -> None:
    good, bad = odd_path / "b good.safetensors", odd_path / "a bad.safetensors"
    good.write_bytes(weights({"x.lora_up.weight": floats(1.0)}))
    bad.write_bytes(weights({"x.lora_up.weight": floats(float("inf"))}))
    assert judge(odd_path, good, bad).returncode == 0
    verdicts = json.loads((odd_path / "judged.json").read_bytes())
    assert [(verdict["path"], verdict["non_finite_count"]) for verdict in verdicts] == [(str(good), 0), (str(bad), 1)]


# --- files that cannot be judged

WHOLE = weights({"x.lora_up.weight": floats(1.0, 2.0)})


def entry(**changes: object) -> dict[str, object]:
    return {"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has 0 bytes"),
        (WHOLE[:4], "has 4 bytes"),
        (WHOLE[:-3], "is cut: its tensors need"),
        (WHOLE[:40], "is cut: its header needs"),
        (WHOLE + b"xx", "2 bytes follow its last tensor"),
        (b"PK\x03\x04" + bytes(200), "does not start with a header"),
        (struct.pack("<Q", 1 << 40) + b"{}", "does not start with a header"),
        (file_of(b'{"a":'), "its header is not JSON"),
        (file_of(b'{"\xff\xfe": 1}'), "its header is not JSON"),
        (file_of(b"{" + b'"a":{' * 50_000), "its header is not JSON"),
        (file_of({"x": {"shape": [1]}}), "the header's entry for x is incomplete"),
        (file_of({"x": "text"}), "the header's entry for x is incomplete"),
        (file_of(entry(data_offsets=[0, 4, 8]), bytes(4)), "the header's entry for x is incomplete"),
        (file_of(entry(shape=2), bytes(4)), "the header's entry for x is incomplete"),
        (file_of(entry(shape=[-1]), bytes(4)), "no whole numbers"),
        (file_of(entry(shape=[True]), bytes(4)), "no whole numbers"),
        (file_of(entry(shape=[1.0]), bytes(4)), "no whole numbers"),
        (file_of(entry(data_offsets=["0", "4"]), bytes(4)), "no whole numbers"),
        (file_of(entry(shape=[2]), bytes(4)), "x needs 8 bytes and its offsets span 4"),
        (file_of(entry(dtype="F4"), bytes(4)), "x has the type 'F4', which judge.py does not know"),
    ],
    ids=["empty", "4 bytes", "cut tensors", "cut header", "too long", "zip", "huge header", "not JSON", "not UTF-8",
         "nested deeply", "no dtype", "entry is a text", "three offsets", "shape is a number", "negative shape",
         "boolean shape", "fractional shape", "offsets are texts", "wrong span", "unknown type"],
)  # fmt: skip
def test_a_file_that_cannot_be_judged_is_named_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / """it's a "日本" lora.safetensors"""
    path.write_bytes(content)
    done = judge(tmp_path, path)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(f"ValueError: {path} ")
    assert says in done.stderr.splitlines()[-1]
    assert not (tmp_path / "judged.json").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = judge(tmp_path, tmp_path / "nowhere.safetensors")
    assert done.returncode != 0
    assert "nowhere.safetensors" in done.stderr.splitlines()[-1]
