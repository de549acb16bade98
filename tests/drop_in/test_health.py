"""Typha's verdicts and its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.observe.pictures import picture
from typha.drop_in.health import TIMEOUT_S, health
from typha.observe.status import Published, Status, TopicStatus
from typha.wire.states import TopicState

FEEDS: Mapping[str, tuple[str, ...]] = {
    "felix": ("nodes", "tiers"),
    "bgp": ("nodes",),
    "tunnel-ip-allocation": ("nodes",),
    "node-status": ("caliconodestatuses",),
}
NODES = TopicStatus(name="nodes", state=TopicState.IN_SYNC, since_s=1.0, has_synced=True)
TIERS = replace(NODES, name="tiers")
STATUSES = TopicStatus(name="caliconodestatuses", state=TopicState.ABSENT, since_s=1.0)

READY = """\
+----------------------------+---------+----------------+-----------------+--------+
|         COMPONENT          | TIMEOUT |    LIVENESS    |    READINESS    | DETAIL |
+----------------------------+---------+----------------+-----------------+--------+
| SyncServer                 | 20s     | reporting live | -               |        |
| bgp-cache                  | 20s     | reporting live | reporting ready |        |
| felix-cache                | 20s     | reporting live | reporting ready |        |
| node-status-cache          | 20s     | reporting live | reporting ready |        |
| tunnel-ip-allocation-cache | 20s     | reporting live | reporting ready |        |
+----------------------------+---------+----------------+-----------------+--------+"""


def published(*topics: TopicStatus, draining: bool = False, feeds: Mapping[str, tuple[str, ...]] = FEEDS) -> Published:
    status: Status = replace(picture(*topics, draining=draining), feeds=feeds)
    return Published(status, 0.0, 0.0)


def test_all_four_caches_complete_is_ready() -> None:
    found = health(published(NODES, TIERS, STATUSES), TIMEOUT_S)
    assert (found.is_live, found.is_ready) == (True, True)
    assert found.table == READY


@pytest.mark.parametrize(
    "topics",
    [
        (NODES, STATUSES),
        (NODES, replace(TIERS, state=TopicState.SYNCING, has_synced=False), STATUSES),
        (NODES, replace(TIERS, state=TopicState.WAITING, has_synced=False), STATUSES),
    ],
)
def test_one_topic_that_was_never_complete_makes_its_caches_unready(topics: tuple[TopicStatus, ...]) -> None:
    found = health(published(*topics), 0.0)
    assert (found.is_live, found.is_ready) == (True, False)
    assert "| felix-cache                | 20s     | reporting live | reporting non-ready |" in found.table
    assert "| bgp-cache                  | 20s     | reporting live | reporting ready     |" in found.table


def test_a_stale_cache_and_a_draining_server_stay_ready() -> None:
    stale = replace(TIERS, state=TopicState.STALE)
    assert health(published(NODES, stale, STATUSES, draining=True), 0.0).is_ready


def test_a_loop_that_does_not_turn_is_neither_live_nor_ready() -> None:
    found = health(published(NODES, TIERS, STATUSES), TIMEOUT_S + 0.1)
    assert (found.is_live, found.is_ready) == (False, False)
    assert found.table.count("timed out") == 9


def test_before_the_first_picture_it_is_live_and_not_ready() -> None:
    found = health(Published(None, 0.0, 0.0), 1.0)
    assert (found.is_live, found.is_ready) == (True, False)
    assert found.table.count("reporting non-ready") == 4


def test_a_feed_that_is_not_served_has_no_reporter() -> None:
    found = health(published(NODES, feeds={"bgp": ("nodes",)}), 0.0)
    assert found.is_ready
    assert "felix" not in found.table
