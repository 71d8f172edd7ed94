"""The help texts of the trainer itself: every script is asked, and has words for nearly all of its options."""

from __future__ import annotations

import pytest

from loratpl.trainer.environment import run_inside
from loratpl.trainer.manifest import SCRIPTS, load_manifest
from loratpl.trainer.status import TrainerStatus

pytestmark = [pytest.mark.trainer, pytest.mark.xdist_group("read back")]


def test_the_trainer_has_words_for_its_options(installed_trainer: TrainerStatus) -> None:
    """Asked by the script itself: what the product keeps of the answer would lie in the user's own installation."""
    paths = installed_trainer.paths
    texts = run_inside(paths, "option_help.py", "--source", paths.source_dir, *SCRIPTS)
    assert list(texts) == list(SCRIPTS)
    for script, options in load_manifest().options_of.items():
        assert texts[script].keys() <= options.keys()
        assert len(texts[script]) > 0.9 * len(options)
        assert all(texts[script].values())
