"""The entry beside a stand-in of the trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inside.started_entry import Entry
from tests.stand_in import StandIn


@pytest.fixture
def entry(stand_in: StandIn, tmp_path: Path) -> Entry:
    return Entry(stand_in.paths.source_dir, tmp_path)


@pytest.fixture
def odd_entry(stand_in: StandIn, odd_path: Path) -> Entry:
    return Entry(stand_in.paths.source_dir, odd_path)
