"""Random sets of options of a script, made of the manifest: of the right types and choices, whatever they mean."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from loratpl.config.arguments import ARGUMENT_OPTIONS
from loratpl.config.settings import RESERVED
from loratpl.trainer.manifest import Option, load_manifest

MOST_OPTIONS = 40
_NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
_WHOLE = st.integers(-(2**31), 2**31)
_NUMBERS = st.one_of(_WHOLE, st.floats(-1e9, 1e9, allow_nan=False))
# What people write in paths and names; the trainer's reader of TOML cannot hold control characters.
_TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(str.strip)
_VALUES = {
    None: st.booleans(),
    "int": _WHOLE,
    "float": _NUMBERS.map(float),
    "int_or_float": st.one_of(st.integers(0, 10**6), st.floats(0, 0.999)),
    "str": _TEXTS,
    "path": _TEXTS,
}
_ARGUMENTS = st.dictionaries(_NAMES, st.one_of(st.booleans(), _WHOLE, st.floats(0.0, 1.0)), min_size=1, max_size=4)


def option_sets(script: str, *, as_written: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Returns sets of options that can be set, with values that they take.

    Args:
        script: Whose options.
        as_written: Also in the other forms that people write a value in and that lose nothing.
    """
    options = [option for name, option in load_manifest().options_of[script].items() if name not in RESERVED]
    chosen = st.lists(st.sampled_from(options), max_size=MOST_OPTIONS, unique_by=lambda option: option.name)
    return chosen.flatmap(
        lambda found: st.fixed_dictionaries({one.name: value_of(one, as_written=as_written) for one in found})
    )


def value_of(option: Option, *, as_written: bool = False) -> st.SearchStrategy[Any]:
    """Returns values that an option takes."""
    if option.name in ARGUMENT_OPTIONS:
        return _ARGUMENTS.map(lambda pairs: [f"{name}={value}" for name, value in pairs.items()]) | _ARGUMENTS
    one = st.sampled_from(option.choices) if option.choices else _VALUES[option.type]
    if as_written:
        one = one | one.map(_in_another_form) if option.type != "str" else one
    several = st.lists(one, min_size=1, max_size=3) if option.takes_list else one
    if not as_written:
        return several
    return st.one_of(several, several, one, st.sampled_from([None, ""]))


def _in_another_form(value: Any) -> Any:
    """A number in quotes, or a whole number as 64.0; the rest as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return str(value) if int(value) % 2 else float(value)
