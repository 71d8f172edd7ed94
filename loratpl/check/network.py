"""The network module and its arguments: what the trainer would drop in silence, or end on after loading the model."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from loratpl.check.network_table import MODULES, NetworkModule
from loratpl.check.rule import Rule, judge_all
from loratpl.config.arguments import NETWORK_ARGS, parse_arguments
from loratpl.config.options import nearest
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_MODULE = "config.network"
_ARGUMENT = "config.arguments"
_WEIGHT_SHAPES = ("cosine", "sine", "linear", "reverse_linear", "zeros")
_LYCORIS = frozenset({"loha", "lokr", "locon", "ia3", "glora"})
# Blocks of the U-Net that have a rank of their own: 12 down, the middle, 12 up; SDXL has 9 on each side and 3 + 2 more.
_BLOCK_COUNT = {"sd15": 25, "sd2": 25, "sdxl": 23}


def _argument(settings: Settings, name: str) -> str | None:
    return parse_arguments(settings[NETWORK_ARGS]).get(name)


def _is_module(settings: Settings, name: str) -> bool:
    return bool(settings["network_module"] == f"networks.{name}")


# Facts: sd-scripts 48d368fa, most of them tried on the trainer.
RULES = (
    Rule(
        _ARGUMENT,
        NETWORK_ARGS,
        lambda s: (
            _is_module(s, "lora_flux")
            and _argument(s, "split_qkv") == "True"
            and _argument(s, "train_blocks") != "single"
        ),
        "network_args has split_qkv=True, which is broken for double blocks in this version of the trainer: it ends "
        "while the network is made.",
        "Take `split_qkv` out, or train single blocks alone with `train_blocks=single`.",
    ),
    Rule(
        _ARGUMENT,
        NETWORK_ARGS,
        lambda s: _is_module(s, "lora_lumina") and _argument(s, "split_qkv") == "True",
        "network_args has split_qkv=True, which is broken for Lumina in this version of the trainer: all of the "
        "training runs, and then the LoRA cannot be saved.",
        "Take `split_qkv` out.",
    ),
    Rule(
        _ARGUMENT,
        NETWORK_ARGS,
        lambda s: (
            (_argument(s, "ggpo_beta") is None) is not (_argument(s, "ggpo_sigma") is None)
            and (_is_module(s, "lora_flux") or _is_module(s, "lora_hunyuan_image"))
        ),
        "network_args has one of ggpo_beta and ggpo_sigma; GGPO needs both, and is off without a word.",
        "Set both, or take the one out.",
    ),
    Rule(
        _ARGUMENT,
        NETWORK_ARGS,
        lambda s: _is_module(s, "dylora") and _argument(s, "conv_dim") not in (None, str(s["network_dim"])),
        "network_args has a conv_dim that is not network_dim; DyLoRA knows one rank, and the trainer ends on two.",
        "Set `conv_dim` to network_dim, or take it out.",
    ),
    Rule(
        _ARGUMENT,
        "network_dim",
        lambda s: _is_module(s, "dylora") and s["network_dim"] % _whole(_argument(s, "unit") or "1", 1) != 0,
        "network_dim is {value}, which the `unit` in network_args does not divide; DyLoRA ends on it.",
        "Make network_dim a multiple of `unit`.",
    ),
    Rule(
        "config.combination",
        "network_train_text_encoder_only",
        lambda s: s["network_train_text_encoder_only"] and (_is_module(s, "oft") or _is_module(s, "oft_flux")),
        "network_train_text_encoder_only leaves OFT nothing to train: it has no layers in text encoders.",
        "Take it out, or use `networks.lora`.",
    ),
    Rule(
        "config.ignored",
        NETWORK_ARGS,
        lambda s: (
            _argument(s, "conv_dim") is not None
            and s["network_module"]
            in ("networks.lora_flux", "networks.lora_sd3", "networks.lora_lumina", "networks.lora_hunyuan_image")
        ),
        "network_args has conv_dim, but {family} has no convolutions for it: nothing changes.",
        "Take `conv_dim` and `conv_alpha` out.",
        "warning",
    ),
)


def network_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what is wrong with the network module and its arguments."""
    name = settings["network_module"]
    arguments = parse_arguments(settings[NETWORK_ARGS])
    module = MODULES.get(name)
    if module is None:
        yield from _unknown_module(settings, name, arguments)
        return
    yield from judge_all(RULES, settings)
    if settings.family.name not in module.families:
        yield Problem(
            _MODULE,
            f"{name} finds nothing to train in a model of the family {settings.family.name}: it is made for "
            f"{', '.join(sorted(module.families))}.",
            settings.where("network_module"),
            f'Write `"network_module": "{settings.family.network_module}"`, or take it out.',
        )
    if settings["scale_weight_norms"] and not module.scales_norms:
        yield Problem(
            "config.ignored",
            f"scale_weight_norms is set, but {name} cannot do it and the trainer switches it off.",
            settings.where("scale_weight_norms"),
            "Take it out.",
            "warning",
        )
    where = settings.where(NETWORK_ARGS)
    for argument, text in arguments.items():
        problem = _argument_problem(name, module, argument, text, settings.family.name)
        if problem:
            yield Problem(_ARGUMENT, problem[0], where, problem[1])


def _unknown_module(settings: Settings, name: str, arguments: Mapping[str, str]) -> Iterator[Problem]:
    package, _, module = name.rpartition(".")
    near = nearest(module, {path.rpartition(".")[2] for path in MODULES})
    # A module of one's own lies in a package of its own; "network.lora" and "lora" are meant for the trainer's.
    is_trainers = package == "networks" or (bool(near) and (not package or bool(nearest(package, ["networks"]))))
    if is_trainers:
        meant = f"networks.{near[0]}" if near else settings.family.network_module
        fix = f'Write `"network_module": "{meant}"`.'
        if module in _LYCORIS:
            fix = "LyCORIS is the package `lycoris-lora`, with `network_module` `lycoris.kohya`."
        message = f"network_module is {name!r}, and the trainer has no such module."
        yield Problem(_MODULE, message, settings.where("network_module"), fix)
    elif arguments:
        yield Problem(
            "config.arguments.unjudged",
            f"network_args are not checked: {name} is a module that kohyatpl knows nothing of.",
            settings.where(NETWORK_ARGS),
            "Look them up in its documentation; most modules drop what they do not know without a word.",
            "warning",
        )


def _argument_problem(
    name: str, module: NetworkModule, argument: str, text: str, family: str
) -> tuple[str, str] | None:
    kind = module.arguments.get(argument)
    if kind is None:
        if argument == "dropout":
            return (
                f"network_args has `dropout`, which {name} passes over.",
                "Set the option `network_dropout` instead.",
            )
        near = nearest(argument, module.arguments)
        guess = f"; did you mean `{near[0]}`?" if near else "."
        fix = f"Rename it to `{near[0]}`." if near else f"It knows {', '.join(module.arguments)}."
        return f"network_args has `{argument}`, which {name} would drop without a word{guess}", fix
    wanted = _wanted(kind, text, family)
    if wanted is None:
        return None
    return f"network_args has `{argument}={text}`, which {name} cannot use: it must be {wanted}.", f"Write {wanted}."


def _wanted(kind: str, text: str, family: str) -> str | None:
    """Returns what the text should have been, None where it is right."""
    if "|" in kind:
        return None if text in kind.split("|") else f"one of {', '.join(kind.split('|'))}"
    if kind.endswith(" ranks"):
        count = int(kind.partition(" ")[0])
        return None if _is_list(text, count, _is_rank) else f"{count} whole numbers with commas"
    if kind.endswith(" by block"):
        count = _BLOCK_COUNT.get(family, 25)
        of = _is_rank if kind.startswith("ranks") else _is_number
        return None if _is_list(text, count, of) else f"{count} numbers with commas, one for each block of {family}"
    if kind.startswith("blocks below "):
        limit = int(kind.rpartition(" ")[2])
        return None if _is_selection(text, limit) else f"`all`, `none`, or block numbers below {limit} such as `0-3,7`"
    is_right, wanted = _KINDS[kind]
    return None if is_right(text) else wanted


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and int(text) else otherwise


def _is_rank(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdecimal()


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _is_share(text: str) -> bool:
    return _is_number(text) and 0.0 <= float(text) < 1.0


def _is_list(text: str, count: int, is_right: Callable[[str], bool]) -> bool:
    parts = text.strip().removeprefix("[").removesuffix("]").split(",")
    return len(parts) == count and all(map(is_right, parts))


def _is_selection(text: str, limit: int) -> bool:
    if text in ("all", "none", ""):
        return True
    for part in text.split(","):
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or not all(_is_rank(end) and int(end) < limit for end in ends):
            return False
        if int(ends[0]) > int(ends[-1]):
            return False
    return True


def _is_weights(text: str) -> bool:
    shape, _, base = text.partition("+")
    if shape.strip() in _WEIGHT_SHAPES:
        return not base or _is_number(base)
    return all(map(_is_number, text.split(",")))


def _is_by_pattern(text: str, is_right: Callable[[str], bool]) -> bool:
    """Pairs of a pattern and a number; the trainer passes over one that is none with a warning."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    return bool(pairs) and all(pattern.strip() and is_right(value) for pattern, _, value in pairs)


def _is_patterns(text: str) -> bool:
    try:
        patterns = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return all(isinstance(pattern, str) for pattern in (patterns if isinstance(patterns, list) else [patterns]))


_KINDS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "rank": (_is_rank, "a whole number"),
    "number": (_is_number, "a number"),
    "share": (_is_share, "a number from 0 to below 1"),
    # The modules compare with exactly `True`; `config.arguments` has turned true into it.
    "flag": (lambda text: text in ("True", "False"), "True or False"),
    # Any text turns it on, "False" as well.
    "on": (lambda text: text == "True", "True, or left out"),
    "weights": (_is_weights, "numbers with commas, or cosine, sine, linear, reverse_linear or zeros"),
    "ranks by pattern": (lambda text: _is_by_pattern(text, _is_rank), "pairs such as `.*attn.*=8,.*mlp.*=4`"),
    "rates by pattern": (lambda text: _is_by_pattern(text, _is_number), "pairs such as `.*attn.*=1e-4,.*mlp.*=5e-5`"),
    "patterns": (_is_patterns, "a list of patterns in quotes such as `['.*mlp.*']`"),
}
