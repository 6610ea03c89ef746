"""Fixtures of the tests of the replication."""

import pytest
from examples import PAPER

from qagrel.replication.statistics import Paper, Rules, read_paper


@pytest.fixture(scope="session")
def paper() -> Paper:
    return read_paper(PAPER)


@pytest.fixture(scope="session")
def rules(paper: Paper) -> Rules:
    return paper.rules
