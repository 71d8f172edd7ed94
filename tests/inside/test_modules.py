"""The rows that stand for the layers of a model; tests/trainer makes those of the trainer's own models."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loratpl.plan.disk.lora_layers import names_of
from loratpl.trainer.inside import modules

_NAMES = st.lists(st.sampled_from(["blocks", "attn", "0", "1", "2", "10"]), min_size=1, max_size=4).map(".".join)
_LAYERS = st.dictionaries(_NAMES, st.sampled_from([("A", (1, 2)), ("", (3,))]), max_size=30)


@given(_LAYERS)
def test_the_rows_stand_for_the_layers_and_nothing_else(layers: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    found: dict[str, Any] = {}
    for name, block, shape in modules.rows_of(layers):
        for one in names_of(name):
            assert one not in found
            found[one] = (block, shape)
    assert found == layers


def test_following_numbers_are_one_row() -> None:
    layers = {f"blocks.{number}.{part}.0": ("B", (4, 2)) for number in (0, 1, 2, 5) for part in ("a", "b")}
    names = {name for name, _, _ in modules.rows_of(layers)}
    assert names == {"blocks.{0-2}.a.0", "blocks.5.a.0", "blocks.{0-2}.b.0", "blocks.5.b.0"}


def test_a_row_stands_on_one_line() -> None:
    text = modules.text_of({"sd15": {"unet": [("a.{0-1}", "", (4, 2))], "te": []}}, "abc")
    assert '    ["a.{0-1}", "", [4, 2]]\n' in text
