"""Arguments of network, optimiser and scheduler: however they were written, the trainer gets what it can read."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.config.arguments import ARGUMENT_OPTIONS, ValueRefusedError, parse_arguments, to_arguments

_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True)
_LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab c'.\\"),
    lambda inner: st.tuples(inner, inner),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("network_args", ["conv_dim=4", "conv_alpha=1"], ["conv_dim=4", "conv_alpha=1"]),
        ("network_args", "conv_dim=4 conv_alpha=1", ["conv_dim=4", "conv_alpha=1"]),
        ("network_args", "conv_dim = 4  conv_alpha= 1", ["conv_dim=4", "conv_alpha=1"]),
        ("network_args", [" conv_dim = 4 "], ["conv_dim=4"]),
        ("network_args", {"conv_dim": 4, "conv_alpha": 1.0}, ["conv_dim=4", "conv_alpha=1"]),
        ("network_args", {"conv_alpha": 0.5, "rank_dropout": None}, ["conv_alpha=0.5"]),
        ("network_args", "split_qkv=true", ["split_qkv=True"]),
        ("network_args", ["verbose=FALSE"], ["verbose=False"]),
        ("network_args", {"split_qkv": True, "verbose": "false"}, ["split_qkv=True", "verbose=False"]),
        ("network_args", {"in_dims": [4, 4, 4, 4, 4.0]}, ["in_dims=4,4,4,4,4"]),
        ("network_args", {"exclude_patterns": [".*mlp.*"]}, ["exclude_patterns=['.*mlp.*']"]),
        ("network_args", {"network_reg_dims": {".*a.*": 8, ".*m.*": 4}}, ["network_reg_dims=.*a.*=8,.*m.*=4"]),
        ("network_args", ["network_reg_lrs=.*attn.*=1e-4"], ["network_reg_lrs=.*attn.*=1e-4"]),
        ("network_args", ["a=1", "a=1"], ["a=1"]),
        ("network_args", {}, []),
        ("optimizer_args", "weight_decay=0.1 betas=0.9,0.99", ["weight_decay=0.1", "betas=0.9,0.99"]),
        ("optimizer_args", '"weight_decay=0.1" "betas=0.9, 0.99"', ["weight_decay=0.1", "betas=0.9, 0.99"]),
        ("optimizer_args", "weight_decay = 0.1", ["weight_decay=0.1"]),
        ("optimizer_args", {"betas": [0.9, 0.99], "decouple": True}, ["betas=(0.9, 0.99)", "decouple=True"]),
        ("optimizer_args", {"foreach": None}, ["foreach=None"]),
        ("optimizer_args", ["a=true", "b=null", "c=FALSE"], ["a=True", "b=None", "c=False"]),
        ("optimizer_args", {"adjust_lr_fn": "original"}, ["adjust_lr_fn='original'"]),
        ("lr_scheduler_args", ["step_rules='1:10,0.1'"], ["step_rules='1:10,0.1'"]),
        ("lr_scheduler_args", {"T_max": 100}, ["T_max=100"]),
    ],
)  # fmt: skip
def test_the_trainer_gets_a_list_that_it_can_read(option: str, value: Any, expected: list[str]) -> None:
    assert to_arguments(option, value) == expected


@pytest.mark.parametrize(
    ("option", "value", "named", "fix"),
    [
        ("network_args", ["conv_dim 4"], '"conv_dim 4" is no `name=value`', "Write `conv_dim=4`."),
        ("network_args", "conv_dim 4", '"conv_dim" is no `name=value`', "Write `name=value`."),
        ("network_args", ["=4"], '"=4"', "Write `name=value`."),
        ("network_args", ["conv_dim=4", 5], "takes a text, not 5", 'Write it in quotes: `"5"`.'),
        ("network_args", [{"conv_dim": 4}], '{"conv_dim": 4}', 'Write `"name=value"`.'),
        ("network_args", [None], "null", 'Write `"name=value"`.'),
        ("network_args", 5, "takes a text, not 5", 'Write it in quotes: `"5"`.'),
        ("network_args", ["a=1", "a=2"], 'two values, "1" and "2"', "Keep one entry for `a`."),
        ("network_args", {"a b": 1}, '"a b" is no name', "Write `name=value`."),
        ("network_args", {"conv_alpha": float("inf")}, "inf", "Write an ordinary number."),
        ("network_args", 'conv_dim=4 "open', '"conv_dim=4 \\"open"', '`"network_args": ["…", "…"]`'),
        ("optimizer_args", "weight_decay=abc", '"abc"', "Write a number"),
        ("optimizer_args", ["weight_decay="], '""', "Write a number"),
        ("optimizer_args", ["a=1=2"], "second `=`", "Take the `=` out of the value of `a`."),
        ("optimizer_args", {"a": "b=c"}, "second `=`", "Take the `=` out of the value of `a`."),
        ("optimizer_args", {"eps": float("nan")}, "nan", "Write an ordinary number."),
        ("lr_scheduler_args", ["anneal_strategy=cos"], '"cos"', "anneal_strategy='cos'"),
        ("lr_scheduler_args", [f"a={'(' * 3000}"], "no number", "Write a number"),
    ],
)
def test_what_the_trainer_would_end_on_is_refused_with_its_fix(option: str, value: Any, named: str, fix: str) -> None:
    with pytest.raises(ValueRefusedError) as caught:
        to_arguments(option, value)
    assert option in caught.value.reason + caught.value.fix
    assert named in caught.value.reason
    assert fix in caught.value.fix


@settings(deadline=None)
@given(
    values=st.dictionaries(_NAMES, _LITERALS, max_size=4),
    option=st.sampled_from(["optimizer_args", "lr_scheduler_args"]),
)
def test_an_object_comes_out_of_the_trainers_own_reading_as_it_went_in(values: dict[str, Any], option: str) -> None:
    read = dict(entry.split("=") for entry in to_arguments(option, values))  # as the trainer splits and reads it
    assert {name: ast.literal_eval(text) for name, text in read.items()} == values


@settings(deadline=None)
@given(
    values=st.dictionaries(_NAMES, st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=4),
    option=st.sampled_from(ARGUMENT_OPTIONS),
)
def test_numbers_survive_and_what_was_converted_stays_as_it_is(values: dict[str, float], option: str) -> None:
    converted = to_arguments(option, values)
    assert {name: ast.literal_eval(text) for name, text in parse_arguments(converted).items()} == values
    assert to_arguments(option, converted) == converted
