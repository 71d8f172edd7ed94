"""What the numbers say, checked against the matrices multiplied out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.report.inspect import Inspection, inspect_file, inspection_json
from loratpl.report.inspect.numbers import decoded
from loratpl.report.inspect.values import Values
from loratpl.ui.inspect_text import inspection_lines
from tests.report.inspect.made_files import lora, weights_file

NAME = "lora_unet_mid_block_attentions_0_proj_in"


def inspected(folder: Path, tensors: dict[str, Any]) -> Inspection:
    return inspect_file(weights_file(folder / "a.safetensors", tensors), with_values=True)


def values_of(found: Inspection) -> Values:
    assert found.values is not None
    return found.values


def norm_of(folder: Path, tensors: dict[str, Any]) -> float:
    (norm,) = values_of(inspected(folder, tensors)).norms
    assert norm.mean == norm.largest
    return norm.mean


def random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def test_the_norm_of_a_lora_is_that_of_what_it_adds(tmp_path: Path) -> None:
    down, up = random(4, 10), random(7, 4)
    tensors = {f"{NAME}.lora_down.weight": down, f"{NAME}.lora_up.weight": up, f"{NAME}.alpha": np.array(2.0)}
    assert norm_of(tmp_path, tensors) == pytest.approx(float(np.linalg.norm(up @ down)) / 2, rel=1e-5)


def test_a_convolution_counts_with_all_its_points(tmp_path: Path) -> None:
    down, up = random(4, 10, 3, 3), random(7, 4, 1, 1)
    added = np.einsum("or,rikl->oikl", up[:, :, 0, 0], down)
    tensors = {f"{NAME}.lora_down.weight": down, f"{NAME}.lora_up.weight": up}
    assert norm_of(tmp_path, tensors) == pytest.approx(float(np.linalg.norm(added)), rel=1e-5)
    middle, first = random(4, 5, 3, 3), random(5, 10, 1, 1)
    added = np.einsum("or,rskl,si->oikl", up[:, :, 0, 0], middle, first[:, :, 0, 0])
    tensors = {
        f"{NAME}.lora_down.weight": first, f"{NAME}.lora_mid.weight": middle, f"{NAME}.lora_up.weight": up,
    }  # fmt: skip
    assert norm_of(tmp_path, tensors) == pytest.approx(float(np.linalg.norm(added)), rel=1e-5)


def test_loha_and_lokr_are_multiplied_out(tmp_path: Path) -> None:
    first, first_b, second, second_b = random(600, 3), random(3, 9), random(600, 3) + 1, random(3, 9) - 1
    tensors = {
        f"{NAME}.hada_w1_a": first, f"{NAME}.hada_w1_b": first_b, f"{NAME}.hada_w2_a": second,
        f"{NAME}.hada_w2_b": second_b,
    }  # fmt: skip
    expected = float(np.linalg.norm((first @ first_b) * (second @ second_b)))
    assert norm_of(tmp_path, tensors) == pytest.approx(expected, rel=1e-5)
    small, left, right = random(3, 2), random(5, 2), random(2, 4)
    expected = float(np.linalg.norm(np.kron(small, left @ right)))
    tensors = {f"{NAME}.lokr_w1": small, f"{NAME}.lokr_w2_a": left, f"{NAME}.lokr_w2_b": right}
    assert norm_of(tmp_path, tensors) == pytest.approx(expected, rel=1e-5)


def test_numbers_beyond_what_trainers_make_have_no_norm(tmp_path: Path) -> None:
    rank = np.zeros((1025, 2), np.float16)
    for tensors in (
        {f"{NAME}.lora_down.weight": rank, f"{NAME}.lora_up.weight": rank.T},
        {f"{NAME}.lora_down.weight": random(4, 2), f"{NAME}.lora_up.weight": random(2, 3)},
        {f"{NAME}.lokr_w1": random(2, 2), f"{NAME}.lokr_w2_a": random(4, 2), f"{NAME}.lokr_w2_b": random(3, 4)},
    ):
        assert values_of(inspected(tmp_path, tensors)).norms == ()


def test_a_matrix_is_read_in_pieces(tmp_path: Path) -> None:
    """Larger than a piece either way, so that rows and columns are put together again."""
    down, up = random(3, 300_001), random(300_001, 3)
    expected = math.sqrt(float(np.sum((up.T.astype(float) @ up) * (down.astype(float) @ down.T))))
    tensors = {f"{NAME}.lora_down.weight": down, f"{NAME}.lora_up.weight": up}
    assert norm_of(tmp_path, tensors) == pytest.approx(expected, rel=1e-6)


def test_a_full_difference_has_its_own_norm(tmp_path: Path) -> None:
    diff = random(5, 4)
    assert norm_of(tmp_path, {f"{NAME}.diff": diff}) == pytest.approx(float(np.linalg.norm(diff)), rel=1e-5)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_bfloat16_is_the_upper_half_of_a_float(bits: list[int]) -> None:
    upper = np.array([number >> 16 for number in bits], "<u2")
    expected = (upper.astype("<u4") << 16).view("<f4")
    np.testing.assert_array_equal(decoded("BF16", upper.tobytes()), expected)


@pytest.mark.parametrize(
    ("dtype", "bits", "value"),
    [
        ("F8_E4M3", 0x00, 0.0), ("F8_E4M3", 0x38, 1.0), ("F8_E4M3", 0x7E, 448.0), ("F8_E4M3", 0x01, 2.0**-9),
        ("F8_E4M3", 0xB8, -1.0), ("F8_E4M3", 0x7F, math.nan), ("F8_E5M2", 0x3C, 1.0), ("F8_E5M2", 0x7B, 57344.0),
        ("F8_E5M2", 0x7C, math.inf), ("F8_E5M2", 0x7D, math.nan), ("F8_E5M2", 0x01, 2.0**-16),
    ],
)  # fmt: skip
def test_floats_of_eight_bits_aredecoded(dtype: str, bits: int, value: float) -> None:
    np.testing.assert_array_equal(decoded(dtype, bytes([bits])), np.array([value], np.float32))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_found(tmp_path: Path, bad: float) -> None:
    tensors = {**lora(NAME), **lora(f"{NAME}_2")}
    tensors[f"{NAME}.lora_down.weight"][1, 2] = bad
    found = inspected(tmp_path, tensors)
    assert values_of(found).non_finite == ((f"{NAME}.lora_down.weight", 1),)
    (problem,) = found.problems
    assert problem.code == "project.weights.nan"
    assert NAME in problem.message
    assert sum(norm.modules for norm in values_of(found).norms) == 1


def test_an_alpha_that_is_no_number_is_found_without_looking_at_all_values(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "a.safetensors", lora(NAME, alpha=math.nan))
    found = inspect_file(path)
    assert [problem.code for problem in found.problems] == ["project.weights.nan"]
    assert found.modules[0].alpha is None
    assert [problem.code for problem in inspect_file(path, with_values=True).problems] == ["project.weights.nan"]


def test_numbers_too_large_to_be_squared_leave_json_that_can_be_read(tmp_path: Path) -> None:
    tensors = {f"{NAME}.diff": np.array([1e300, 1e300])}
    found = inspected(tmp_path, tensors)
    assert values_of(found).non_finite == ()
    assert inspection_json(found)["values"]["norms"] == []


def test_modules_that_change_nothing_are_found(tmp_path: Path) -> None:
    found = inspected(tmp_path, {**lora(NAME), **lora(f"{NAME}_2", up=0.0)})
    assert values_of(found).dead == (f"{NAME}_2",)
    assert [(problem.code, problem.severity) for problem in found.problems] == [("project.weights.dead", "warning")]


def test_a_file_that_changes_nothing_is_told(tmp_path: Path) -> None:
    found = inspected(tmp_path, {**lora(NAME, up=0.0), **lora(f"{NAME}_2", up=-0.0)})
    assert [problem.code for problem in found.problems] == ["project.weights.untrained"]
    assert inspection_lines([found])


def te_layers(dead: set[int]) -> dict[str, Any]:
    names = {number: f"lora_te_text_model_encoder_layers_{number}_mlp_fc1" for number in range(4)}
    modules = [lora(name, up=0.0 if number in dead else 1.0) for number, name in names.items()]
    return {key: array for tensors in (*modules, lora(NAME)) for key, array in tensors.items()}


@pytest.mark.parametrize(
    ("dead", "codes"), [({3}, []), ({2, 3}, []), ({1}, ["dead"]), ({1, 3}, ["dead"]), ({0, 1, 2, 3}, ["dead"])]
)
def test_the_last_layers_of_a_text_encoder_may_be_dead(tmp_path: Path, dead: set[int], codes: list[str]) -> None:
    found = inspected(tmp_path, te_layers(dead))
    assert len(values_of(found).dead) == len(dead)
    assert [problem.code.rpartition(".")[2] for problem in found.problems] == codes


def test_types_that_are_not_decoded_are_counted(tmp_path: Path) -> None:
    found = inspected(tmp_path, {**lora(NAME), "other": ("F8_E8M0", np.zeros(4, np.uint8))})
    assert values_of(found).unjudged == 1


def test_the_chart_has_a_bar_for_each_block(tmp_path: Path) -> None:
    tensors = {
        **lora(NAME),
        **lora("lora_unet_up_blocks_1_x", up=0.25),
        **lora("lora_te_text_model_encoder_layers_2_x"),
    }
    lines = inspection_lines([inspected(tmp_path, tensors)])
    bars = {line.split("  ")[1]: line.count("█") for line in lines if "█" in line}
    assert len(bars) == 3
    assert max(bars.values()) == 24
