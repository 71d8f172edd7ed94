"""Tests that share something costly stay on one worker: a trainer and its tiny models are made once."""

from __future__ import annotations

import os

import pytest


@pytest.mark.xdist_group("groups")
def test_a_group_is_known_to_the_one_who_shares_out_the_tests(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("without workers there is nothing to share out")
    assert request.node.nodeid.endswith("@groups")
