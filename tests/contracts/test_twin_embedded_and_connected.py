"""A twin answers alike in the same process and from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gemeos.runtime.run import RunningSite, run
from gemeos.serve.client import Connection, connect
from gemeos.testing.contracts.twin import TwinContract, contract_site, second
from gemeos.testing.served import Serving, served

PATIENCE_S = 20


@pytest.fixture(scope="module")
def embedded() -> Iterator[RunningSite]:
    site, link = contract_site()
    with run(site) as running:
        assert link.played.wait(PATIENCE_S)
        yield running


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    site, link = contract_site()
    with served(site) as serving:
        assert link.played.wait(PATIENCE_S)
        yield serving


@pytest.fixture(scope="module")
def connected(serving: Serving) -> Iterator[Connection]:
    with connect(serving.url) as connection:
        yield connection


class TestEmbeddedTwin(TwinContract):
    @pytest.fixture
    def asked(self, embedded: RunningSite) -> RunningSite:
        return embedded


class TestConnectedTwin(TwinContract):
    @pytest.fixture
    def asked(self, connected: Connection) -> Connection:
        return connected

    def test_that_members_come_over_the_wire_bit_for_bit(
        self, asked: Connection, serving: Serving
    ) -> None:
        questions = serving.host.questions
        here = [
            questions.now("mill"),
            questions.at("mill", second(31), known_by=second(60)),
            questions.forecast("mill", "1 min", every="7 s"),
        ]
        twin = asked["mill"]
        there = [
            twin.now(),
            twin.at(second(31), known_by=second(60)),
            twin.forecast("1 min", every="7 s"),
        ]
        for one, other in zip(here, there, strict=True):
            assert np.array_equal(one.values, other.values)
            assert np.array_equal(one.times, other.times)
            assert (one.kind, one.units, one.provenance) == (
                other.kind,
                other.units,
                other.provenance,
            )

    def test_that_trust_comes_over_the_wire_unchanged(
        self, asked: Connection, serving: Serving
    ) -> None:
        assert asked["mill"].trust() == serving.host.questions.trust("mill")

    def test_that_rows_come_over_the_wire_unchanged(
        self, asked: Connection, serving: Serving
    ) -> None:
        here = serving.host.questions.range("mill", second(0), second(100))
        there = asked["mill"].range(second(0), second(100))
        assert np.array_equal(here.mean, there.mean)
        assert np.array_equal(here.quantiles, there.quantiles)
