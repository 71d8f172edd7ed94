"""What a config says of an option becomes what the trainer must get, or a problem with its fix."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loratpl.config.options import ValueRefusedError, convert, explain_unknown
from loratpl.trainer.manifest import BASE_SCRIPT, SCRIPTS, Option, load_manifest
from tests.given import outcome

MANIFEST = load_manifest()
BASE = MANIFEST.options_of[BASE_SCRIPT]
_ALL = [(script, option) for script, options in MANIFEST.options_of.items() for option in options.values()]
_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_PYTHON_TYPES: dict[str | None, tuple[type, ...]] = {
    None: (bool,),
    "int": (int,),
    "float": (float,),
    "int_or_float": (int, float),
    "str": (str,),
    "path": (str,),
}


def _refused(name: str, value: Any) -> ValueRefusedError:
    with pytest.raises(ValueRefusedError) as caught:
        convert(BASE[name], value)
    assert f"`{name}`" in caught.value.reason
    return caught.value


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("network_dim", 64, 64),
        ("network_dim", 64.0, 64),
        ("network_dim", "64", 64),
        ("network_dim", " 64 ", 64),
        ("network_dim", "64.0", 64),
        ("network_dim", "6.4e1", 64),
        ("seed", -1, -1),
        ("seed", "42", 42),
        ("seed", 0, 0),
        ("max_token_length", "150", 150),
        ("learning_rate", "1e-4", 1e-4),
        ("learning_rate", 1, 1.0),
        ("learning_rate", 0, 0.0),
        ("learning_rate", "1", 1.0),
        ("network_alpha", 8, 8.0),
        ("resolution", "512,768", "512,768"),
        ("caption_separator", " ", " "),
        ("dataset_config", "a b/ñ.toml", "a b/ñ.toml"),
        ("flip_aug", True, True),
        ("flip_aug", False, False),
        ("lr_warmup_steps", 100, 100),
        ("lr_warmup_steps", "100", 100),
        ("lr_warmup_steps", 0.1, 0.1),
        ("lr_warmup_steps", "0.1", 0.1),
        ("text_encoder_lr", 5e-5, [5e-5]),
        ("text_encoder_lr", "1e-4 5e-5", [1e-4, 5e-5]),
        ("text_encoder_lr", ["1e-4", 1], [1e-4, 1.0]),
        ("network_args", ["conv_dim=4", "conv_alpha=1"], ["conv_dim=4", "conv_alpha=1"]),
        ("network_args", "conv_dim=4 conv_alpha=1", ["conv_dim=4", "conv_alpha=1"]),
        ("optimizer_args", 'weight_decay=0.1 "betas=0.9, 0.99"', ["weight_decay=0.1", "betas=0.9, 0.99"]),
        ("mixed_precision", "fp16", "fp16"),
    ],
)
def test_what_can_be_converted_without_loss_is(name: str, value: Any, expected: Any) -> None:
    converted = convert(BASE[name], value)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize("value", [None, "", []])
@pytest.mark.parametrize("name", ["network_dim", "learning_rate", "flip_aug", "resolution", "network_args"])
def test_null_and_nothing_mean_unset(name: str, value: Any) -> None:
    assert convert(BASE[name], value) is None


@pytest.mark.parametrize("value", [100.0, "100.0"])
def test_a_whole_number_of_warm_up_steps_is_never_taken_for_a_share(value: Any) -> None:
    # The trainer multiplies a float by all steps: 100.0 would be 100 times the training.
    converted = convert(BASE["lr_warmup_steps"], value)
    assert converted == 100
    assert type(converted) is int


@pytest.mark.parametrize("value", [1.5, "1.5", -0.5, "10%", True])
def test_a_share_of_steps_that_is_none_is_refused(value: Any) -> None:
    assert json.dumps(value) in _refused("lr_warmup_steps", value).reason


@pytest.mark.parametrize(
    ("name", "value", "reason", "fix"),
    [
        ("flip_aug", "true", 'true or false, not "true"', "Write true, without quotes."),
        ("flip_aug", "False", 'true or false, not "False"', "Write false, without quotes."),
        ("flip_aug", "yes", '"yes"', "Write true, without quotes."),
        ("flip_aug", 1, "true or false, not 1", "Write true, without quotes."),
        ("flip_aug", 0, "true or false, not 0", "Write false, without quotes."),
        ("flip_aug", "maybe", '"maybe"', "Write true or false."),
        ("flip_aug", [True], "[true]", "Write true or false."),
        ("network_dim", True, "a whole number, not true", "Write a whole number."),
        ("network_dim", 16.5, "a whole number, not 16.5", "Write a whole number."),
        ("network_dim", "16.5", '"16.5"', "Write a whole number."),
        ("network_dim", "sixteen", '"sixteen"', "Write a whole number."),
        ("network_dim", [16], "[16]", "Write a whole number."),
        ("network_dim", {"dim": 16}, '{"dim": 16}', "Write a whole number."),
        ("network_dim", float("inf"), "Infinity", "Write a whole number."),
        ("network_dim", "inf", '"inf"', "Write a whole number."),
        ("learning_rate", False, "a number, not false", "Write a number."),
        ("learning_rate", "nan", '"nan"', "Write a number."),
        ("learning_rate", "1e999", '"1e999"', "Write a number."),
        ("learning_rate", "1e-4 # low", '"1e-4 # low"', "Write a number."),
        ("learning_rate", "0,0001", '"0,0001"', "Write a number."),
        ("resolution", 512, "a text, not 512", 'Write it in quotes: `"512"`.'),
        ("resolution", [512, 768], "[512, 768]", 'Write it in quotes: `"512,768"`.'),
        ("resolution", True, "a text, not true", "Write a text."),
        ("resolution", {"w": 512}, '{"w": 512}', "Write a text."),
        ("output_name", 5, "a text, not 5", 'Write it in quotes: `"5"`.'),
        ("text_encoder_lr", "1e-4 fast", '"fast"', "Write a number."),
        ("text_encoder_lr", [1e-4, None], "null", "Write a number."),
        ("network_args", ["conv_dim=4", 5], "a text, not 5", 'Write it in quotes: `"5"`.'),
        ("mixed_precision", "bf61", '"bf61"; the trainer knows no, fp16, bf16', 'Write "bf16".'),
        ("mixed_precision", "FP16", '"FP16"', 'Write "fp16".'),
        ("mixed_precision", "half", '"half"', "Write one of these."),
        ("mixed_precision", "bp16", '"bp16"', 'Write "fp16" or "bf16".'),
        (
            "save_model_as",
            "safetensor",
            '"safetensor"; the trainer knows ckpt, pt, safetensors',
            'Write "safetensors".',
        ),
        ("max_token_length", 75, "75; the trainer knows 150, 225", "Write one of these."),
    ],
)
def test_anything_else_is_refused_with_its_fix(name: str, value: Any, reason: str, fix: str) -> None:
    refused = _refused(name, value)
    assert reason in refused.reason
    assert refused.fix == fix


def test_a_list_in_one_text_that_cannot_be_taken_apart_is_refused() -> None:
    with pytest.raises(ValueRefusedError) as caught:
        convert(BASE["network_args"], 'conv_dim=4 "open')
    assert '"conv_dim=4 \\"open"' in caught.value.reason
    assert '`"network_args": ["…", "…"]`' in caught.value.fix


def test_a_long_value_is_shown_in_part() -> None:
    assert len(_refused("learning_rate", "x" * 5000).reason) < 150


@pytest.mark.parametrize("path", [r"C:\loras\a.safetensors", r"\\server\share\a.safetensors"])
def test_a_windows_path_in_a_list_keeps_its_backslashes(path: str) -> None:
    assert convert(BASE["base_weights"], path) == [path]
    assert convert(BASE["base_weights"], [path]) == [path]


@settings(deadline=None)
@given(number=st.integers(-(2**64), 2**64))
@example(number=2**53 + 1)
def test_every_whole_number_survives_being_written_as_text(number: int) -> None:
    assert convert(BASE["seed"], str(number)) == number


@settings(deadline=None)
@given(number=_FINITE)
def test_every_number_survives_being_written_as_text(number: float) -> None:
    assert convert(BASE["learning_rate"], repr(number)) == number


@settings(deadline=None)
@given(option=st.sampled_from(list(BASE.values())), value=_JSON)
def test_a_value_is_refused_or_has_the_options_type_and_stays_as_it_is(option: Option, value: Any) -> None:
    converted, refused = outcome(ValueRefusedError, lambda: convert(option, value))
    if refused is not None:
        assert refused.reason
        assert refused.fix
    elif converted:
        items = converted if option.takes_list else [converted]
        assert all(type(item) in _PYTHON_TYPES[option.type] for item in items)
        assert convert(option, converted) == converted


@pytest.mark.parametrize(("script", "option"), [pytest.param(s, o, id=f"{s}-{o.name}") for s, o in _ALL if o.choices])
def test_every_choice_is_taken_as_it_is(script: str, option: Option) -> None:
    assert all(convert(option, choice) == choice for choice in option.choices)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_default_of_the_trainer_is_a_value_of_its_option(script: str) -> None:
    for option in MANIFEST.options_of[script].values():
        if option.default not in (None, ""):
            assert convert(option, option.default) == option.default, option.name


@pytest.mark.parametrize(
    ("name", "reason", "fix"),
    [
        ("learning_rat", "did you mean `learning_rate`?", "Rename it to `learning_rate`."),
        ("max-train-steps", "did you mean `max_train_steps`?", "Rename it to `max_train_steps`."),
        ("Network_Dim", "did you mean `network_dim`?", "Rename it to `network_dim`."),
        ("kohyatlp", "did you mean `kohyatpl`?", "Rename it to `kohyatpl`."),
        ("qqq", "the trainer would ignore it", "Take it out"),
    ],
)
def test_an_unknown_key_is_explained(name: str, reason: str, fix: str) -> None:
    explained = explain_unknown(name, BASE_SCRIPT, MANIFEST, ("family", "kohyatpl"))
    assert f"`{name}`" in explained[0]
    assert reason in explained[0]
    assert fix in explained[1]


@pytest.mark.parametrize(
    ("name", "script", "family", "reason", "fix"),
    [
        ("t5xxl", BASE_SCRIPT, "sd15", "`t5xxl` belongs to sd3, flux and chroma; this config is sd15", "`family`"),
        (
            "ae",
            "sdxl_train_network.py",
            "sdxl",
            "`ae` belongs to flux, chroma and lumina; this config is sdxl",
            "`family`",
        ),
        ("qwen3", "flux_train_network.py", "chroma", "`qwen3` belongs to anima; this config is chroma", "`family`"),
        ("ae", BASE_SCRIPT, "", "this config is sd15", "or rename it to `vae`."),
        ("qwne3", BASE_SCRIPT, "sd2", "`qwen3` belongs to anima, and this config is sd2", "`family`"),
        ("no_token_padding", BASE_SCRIPT, "sd15", "always pads", "Take it out."),
        ("stop_text_encoder_training", BASE_SCRIPT, "sd15", "no earlier", "text_encoder_lr"),
        ("lowvram", BASE_SCRIPT, "sd15", "calls it `lowram`", "Rename it to `lowram`."),
        ("conv_dim", BASE_SCRIPT, "sd15", "argument of the network", '`"network_args": {"conv_dim": …}`'),
        ("num_repeats", BASE_SCRIPT, "sd15", "concept folder", "kohyatpl balance"),
    ],
)
def test_what_belongs_elsewhere_or_is_gone_is_named_as_such(
    name: str, script: str, family: str, reason: str, fix: str
) -> None:
    explained = explain_unknown(name, script, MANIFEST, (), family)
    assert f"`{name}`" in explained[0]
    assert reason in explained[0]
    assert fix in explained[1]


def _slips(word: str) -> dict[str, str]:
    """Returns a word with one letter wrong, in each of the ways in which fingers go wrong, at several places."""
    places = sorted({0, 1, len(word) // 2, len(word) - 2, len(word) - 1} & set(range(len(word))))
    slips = {}
    for at in places:
        slips[f"deletion {at}"] = word[:at] + word[at + 1 :]
        slips[f"doubling {at}"] = word[:at] + word[at] + word[at:]
        slips[f"swap {at}"] = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
        slips[f"substitution {at}"] = word[:at] + ("q" if word[at] != "q" else "z") + word[at + 1 :]
        slips[f"insertion {at}"] = word[:at] + "x" + word[at:]
    return {kind: slip for kind, slip in slips.items() if slip not in (word, "")}


def _distance(word: str, other: str) -> int:
    """The number of letters to put in, take out, replace or swap, by the textbook (optimal string alignment)."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(word, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and word[i - 2] == b:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def _rivals(slip: str, meant: str, words: Iterable[str]) -> list[str]:
    """Returns the other words that are one letter away; such a word is as long and starts or ends alike."""
    near = (word for word in words if abs(len(word) - len(slip)) <= 1 and word != meant)
    alike = (word for word in near if word[:1] == slip[:1] or word[-1:] == slip[-1:] or len(word) < 6)
    return [word for word in alike if _distance(slip, word) == 1]


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_wrong_letter_in_a_name_is_refused_with_the_right_name_first(script: str) -> None:
    names = MANIFEST.options_of[script]
    count = 0
    for name in names:
        for kind, slip in _slips(name).items():
            if slip in names:
                continue  # proof that it is another valid option: it is in the manifest
            reason, fix = explain_unknown(slip, script, MANIFEST, ("family", "kohyatpl", "$schema"))
            # Proof that nobody can know: another family has an option of this name, or another one is just as near.
            if MANIFEST.scripts_with(slip) or _rivals(slip, name, names):
                assert f"`{name}`" in f"{reason} {fix}", (name, kind, slip)
            else:
                assert f"Rename it to `{name}`." == fix, (name, kind, slip, reason)
            count += 1
    assert count > 3000


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_wrong_letter_in_a_choice_is_refused_with_the_right_choice_first(script: str) -> None:
    for option in MANIFEST.options_of[script].values():
        texts = [choice for choice in option.choices if isinstance(choice, str)]
        for choice in texts:
            for kind, slip in _slips(choice).items():
                if slip in texts:
                    continue
                with pytest.raises(ValueRefusedError) as caught:
                    convert(option, slip)
                assert f'"{choice}"' in caught.value.fix, (option.name, kind, slip)
                if not _rivals(slip, choice, texts):
                    assert caught.value.fix == f'Write "{choice}".', (option.name, kind, slip)


_WRONG = {
    None: ("yes", 2, 0.5, [True], {"a": 1}),
    "int": ("many", 2.5, True, [1], {"a": 1}),
    "float": ("much", "1,5", True, [0.1], {"a": 1}),
    "int_or_float": ("10%", 1.5, True, [1], {"a": 1}),
    "str": (7, 0.5, True, ["a"], {"a": 1}),
    "path": (7, 0.5, True, ["a"], {"a": 1}),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_wrong_type_is_refused_with_a_fix(script: str) -> None:
    for option in MANIFEST.options_of[script].values():
        for value in _WRONG[option.type]:
            if option.takes_list and isinstance(value, (list, dict)):
                continue  # a list, or an object, is what it takes
            with pytest.raises(ValueRefusedError) as caught:
                convert(option, value)
            assert f"`{option.name}`" in caught.value.reason
            assert caught.value.fix.endswith(".")
