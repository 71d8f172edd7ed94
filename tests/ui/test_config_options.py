"""`kohyatpl config options`: the trainer's options searched, with the trainer's help texts where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.families import FAMILIES
from loratpl.trainer.manifest import SCRIPTS, load_manifest
from loratpl.trainer.option_help import help_texts, kept_help_texts
from loratpl.trainer.paths import TrainerPaths
from loratpl.ui.columns import width_of
from tests.command_line import kohyatpl
from tests.stand_in import StandIn

NARROW = {"COLUMNS": "80"}


def found(*arguments: str) -> dict[str, dict[str, Any]]:
    """Returns the options that are found, by name; each is declared in one way."""
    done = kohyatpl("config", "options", *arguments, "--json")
    assert done.code == 0
    rows = done.envelope["data"]["options"]
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


def test_an_option_is_told_with_all_that_is_known_of_it() -> None:
    assert found("learning_rate")["learning_rate"] == {
        "name": "learning_rate",
        "type": "float",
        "takes_list": False,
        "choices": [],
        "families": list(FAMILIES),
        "default": {family: 5e-5 if family == "anima" else 1e-4 for family in FAMILIES},
        "trainer_default": 2e-6,
        "help": None,
    }


def test_an_option_is_found_by_name_choice_and_several_words() -> None:
    assert "blocks_to_swap" in found("swap")
    assert set(found("swap", "blocks")) == {"blocks_to_swap"}
    assert set(found("nextdit_shift")) == {"timestep_sampling"}
    assert "network_dim" in found("Network-Dim")


def test_the_option_of_that_very_name_comes_first_then_those_with_the_word_in_it() -> None:
    names = list(found("seed"))
    assert names[0] == "seed"
    assert all("seed" in name for name in names)
    named = list(found("shift", "--family", "lumina"))
    assert named.index("discrete_flow_shift") < named.index("timestep_sampling")  # one in the name, one in a choice


def test_options_that_families_declare_differently_are_told_apart() -> None:
    done = kohyatpl("config", "options", "timestep_sampling", "--json")
    rows = done.envelope["data"]["options"]
    by_families = {tuple(row["families"]): row["trainer_default"] for row in rows}
    assert by_families == {
        ("flux", "chroma", "hunyuan-image"): "sigma", ("lumina",): "shift", ("anima",): "sigmoid",
    }  # fmt: skip


def test_one_family_s_options_are_its_script_s() -> None:
    assert set(found("--family", "flux")) == set(load_manifest().options_of["flux_train_network.py"])
    assert found("timestep_sampling", "--family", "lumina")["timestep_sampling"]["default"] == {
        "lumina": "nextdit_shift"
    }


@pytest.mark.parametrize("words", [(), ("cache",), ("timestep",), ("lr",)])
def test_it_can_be_read_in_eighty_columns(words: tuple[str, ...]) -> None:
    done = kohyatpl("config", "options", *words, env=NARROW)
    assert done.code == 0
    assert max(width_of(line) for line in done.stdout.splitlines()) <= 80
    assert "`kohyatpl trainer install`" in done.stdout


def test_a_person_reads_what_it_takes_and_the_defaults() -> None:
    done = kohyatpl("config", "options", "timestep_sampling", "--family", "lumina", env=NARROW)
    assert done.stdout.splitlines()[:5] == [
        "timestep_sampling",
        "  takes      sigma | uniform | sigmoid | shift | nextdit_shift | flux_shift",
        "  families   lumina",
        '  default    "nextdit_shift"',
        '  trainer\'s  "shift"',
    ]
    flag = kohyatpl("config", "options", "cache_latents_to_disk", env=NARROW).stdout
    assert "takes      true or false" in flag
    several = kohyatpl("config", "options", "network_args", env=NARROW).stdout
    assert "takes      list of: text" in several


def test_without_a_word_there_is_a_line_for_each() -> None:
    done = kohyatpl("config", "options", "--family", "sd15", env=NARROW)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == sorted(load_manifest().options_of["train_network.py"])


def test_what_is_not_found_is_guessed() -> None:
    done = kohyatpl("config", "options", "netwrok_dim", "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.options")
    assert "Did you mean `network_dim`?" in done.problem["fix"]
    assert kohyatpl("config", "options", "ae xyzzy", "--family", "flux", "--json").code == 2


def test_an_unknown_family_is_refused() -> None:
    done = kohyatpl("config", "options", "--family", "fluxx", "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.family")


# --- help texts


def kept(paths: TrainerPaths, **texts: str) -> None:
    """Keeps these help texts, as an earlier question to the trainer does."""
    paths.help_path.write_text(json.dumps(dict.fromkeys(SCRIPTS, texts)), encoding="utf-8")


def test_help_texts_are_searched_and_shown_in_english(stand_in: StandIn) -> None:
    kept(stand_in.paths, seed="random seed for training / 学習時の乱数の種", ae="日本語だけ" * 20)
    done = kohyatpl("config", "options", "random seed", env=NARROW)
    assert done.stdout.startswith("seed\n")
    assert "  random seed for training\n" in done.stdout
    assert "学習" not in done.stdout
    assert "trainer install" not in done.stdout
    assert found("random", "seed")["seed"]["help"] == "random seed for training / 学習時の乱数の種"
    only = kohyatpl("config", "options", "ae", "--family", "flux", env=NARROW).stdout
    assert "日本語だけ" in only
    assert max(width_of(line) for line in only.splitlines()) <= 80


@pytest.mark.parametrize("text", ["", "{", "[]", '{"train_network.py": {}}', '{"train_network.py": 1}'])
def test_a_kept_answer_that_is_damaged_is_none(stand_in: StandIn, text: str) -> None:
    stand_in.paths.help_path.write_text(text, encoding="utf-8")
    assert kept_help_texts(stand_in.paths) is None


def test_a_trainer_that_does_not_answer_is_as_good_as_none(stand_in: StandIn) -> None:
    """The stand-in has no parsers."""
    done = kohyatpl("config", "options", "seed")
    assert done.code == 0
    assert done.stdout.startswith("seed\n")
    assert "`kohyatpl trainer install`" in done.stdout
    assert not stand_in.paths.help_path.exists()


def test_the_parsers_are_asked_once(tmp_path: Path, stand_in: StandIn) -> None:
    """Small scripts with a parser each, in place of the trainer's."""
    paths = stand_in.paths
    for script in SCRIPTS:
        (paths.source_dir / script).write_text(
            "import argparse\n"
            "def setup_parser():\n"
            "    parser = argparse.ArgumentParser()\n"
            f"    parser.add_argument('--seed', help='of {script}')\n"
            "    parser.add_argument('--silent')\n"
            "    return parser\n",
            encoding="utf-8",
        )
    expected = {script: {"seed": f"of {script}"} for script in SCRIPTS}
    assert help_texts(paths) == expected
    assert kept_help_texts(paths) == expected
    for script in SCRIPTS:
        (paths.source_dir / script).unlink()
    assert help_texts(paths) == expected
    assert [path.name for path in paths.root_dir.glob("help.json*")] == ["help.json"]
