"""Network modules and their arguments: what the trainer would drop in silence is named, what it takes is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.network import network_problems
from loratpl.check.network_table import MODULES
from loratpl.config.families import FAMILIES
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import only

# A text that is right for each kind of argument, and one that is wrong.
_TEXTS = {
    "rank": ("4", "4.5"),
    "number": ("0.5", "half"),
    "share": ("0.1", "1.5"),
    "flag": ("True", "1"),
    "on": ("True", "False"),
    "weights": ("cosine+0.5", "cosin"),
    "ranks by block": (",".join(["4"] * 25), "4,4"),
    "numbers by block": (",".join(["0.5"] * 25), "0.5"),
    "ranks by pattern": (".*attn.*=8,.*mlp.*=4", ".*attn.*"),
    "rates by pattern": (".*attn.*=1e-4", ".*attn.*=fast"),
    "patterns": ("['.*mlp.*']", ".*mlp.*"),
    "5 ranks": ("[4,4,4,4,4]", "4,4"),
    "6 ranks": ("4,4,4,4,4,4", "4,4,4,4,4"),
    "3 ranks": ("4,4,4", "4,x,4"),
    "blocks below 19": ("0-3,7,18", "19"),
    "blocks below 38": ("all", "7-3"),
    "all|single|double": ("double", "doubles"),
    "all|transformer|refiners|noise_refiner|context_refiner": ("refiners", "refiner"),
}
_EVERY = [(name, argument, kind) for name, module in MODULES.items() for argument, kind in module.arguments.items()]


def _family(module: str) -> str:
    return next(name for name in FAMILIES if name in MODULES[module].families)


def _problems(folder: Path, module: str, family: str = "", **options: Any) -> list[Any]:
    settings = settings_for(folder, family or _family(module), network_module=module, **options)
    return [problem for problem in network_problems(settings) if problem.code != "config.ignored"]


@pytest.mark.parametrize(("module", "argument", "kind"), _EVERY)
def test_each_argument_is_known_and_its_text_is_judged(tmp_path: Path, module: str, argument: str, kind: str) -> None:
    right, wrong = _TEXTS[kind]
    entries = [f"{argument}={right}"]
    if argument.startswith("ggpo"):
        entries = ["ggpo_beta=0.1", "ggpo_sigma=0.1"]
    if argument == "split_qkv" and module in ("networks.lora_flux", "networks.lora_lumina"):
        entries = [f"{argument}=False"]
    dim = 4 if module == "networks.dylora" else 16
    assert _problems(tmp_path, module, network_args=entries, network_dim=dim) == []
    found = _problems(tmp_path, module, network_args=[f"{argument}={wrong}"], network_dim=dim)
    (problem,) = [one for one in found if f"{argument}={wrong}" in one.message]
    assert (problem.severity, problem.code) == ("error", "config.arguments")
    assert "network_args" in problem.where


@pytest.mark.parametrize(("module", "argument", "kind"), _EVERY)
def test_a_misspelt_argument_is_refused_with_the_right_one(
    tmp_path: Path, module: str, argument: str, kind: str
) -> None:
    slip = argument[:2] + argument[1] + argument[2:]
    problem = only(_problems(tmp_path, module, network_args=[f"{slip}={_TEXTS[kind][0]}"]))
    assert f"`{slip}`" in problem.message
    assert f"`{argument}`" in text_of(problem)


def test_an_argument_that_is_like_none_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    problem = only(_problems(tmp_path, "networks.lora", network_args={"qqq": 1}))
    assert "conv_dim" in problem.fix


def test_dropout_has_an_option_of_its_own(tmp_path: Path) -> None:
    problem = only(_problems(tmp_path, "networks.lora", network_args={"dropout": 0.1}))
    assert "`network_dropout`" in problem.fix


@pytest.mark.parametrize("selection", ["1-2-3", "x", "-1", "3-", "19-20"])
def test_a_selection_of_blocks_that_is_none_is_refused(tmp_path: Path, selection: str) -> None:
    arguments = {"train_double_block_indices": selection}
    assert codes(_problems(tmp_path, "networks.lora_flux", network_args=arguments)) == [("error", "config.arguments")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_refused_for_models_in_which_it_finds_nothing(tmp_path: Path, family: str, module: str) -> None:
    found = _problems(tmp_path, module, family, network_dim=4)
    assert codes(found) == ([] if family in MODULES[module].families else [("error", "config.network")])
    if found:
        assert FAMILIES[family].network_module in found[0].fix


@pytest.mark.parametrize(
    ("module", "suggestion"),
    [
        ("network.lora", "networks.lora"),
        ("netwroks.lora", "networks.lora"),
        ("networks.lroa", "networks.lora"),
        ("lora", "networks.lora"),
        ("networks.loraflux", "networks.lora_flux"),
        ("networks.loha", "lycoris.kohya"),
        ("networks.qqqqqqqq", "networks.lora"),
    ],
)
def test_a_module_that_the_trainer_does_not_have_is_refused(tmp_path: Path, module: str, suggestion: str) -> None:
    problem = only(_problems(tmp_path, module, "sd15"))
    assert (problem.severity, problem.code) == ("error", "config.network")
    assert module in problem.message
    assert suggestion in problem.fix


@pytest.mark.parametrize("module", ["lycoris.kohya", "my_networks.fancy", "mine"])
def test_a_module_of_ones_own_is_not_judged_and_that_is_said(tmp_path: Path, module: str) -> None:
    assert _problems(tmp_path, module, "sd15") == []
    found = _problems(tmp_path, module, "sd15", network_args="algo=loha whatever=1")
    assert codes(found) == [("warning", "config.arguments.unjudged")]
    assert module in found[0].message


@pytest.mark.parametrize(("module", "said"), [("networks.lora", False), ("networks.dylora", True)])
def test_scale_weight_norms_is_named_where_the_module_cannot_do_it(tmp_path: Path, module: str, said: bool) -> None:
    settings = settings_for(tmp_path, network_module=module, scale_weight_norms=1.0)
    assert codes(network_problems(settings)) == ([("warning", "config.ignored")] if said else [])
