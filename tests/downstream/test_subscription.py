from __future__ import annotations

import pytest

from tests.downstream.talk import synced_server
from tests.kit.server import Server
from typha.cache.walk import Walk
from typha.downstream.encodings import PLAIN
from typha.downstream.subscription import Phase, Subscription
from typha.wire.states import Mode


@pytest.fixture
def server() -> Server:
    return synced_server()


def test_snapshot_starts_without_a_position(server: Server) -> None:
    subscription = Subscription(server.pods, None, Mode.SNAPSHOT, 99, 0)
    assert (subscription.position, subscription.needs_snapshot, subscription.is_staged) == (None, True, False)


def test_cursor_above_the_head_starts_at_the_head(server: Server) -> None:
    subscription = Subscription(server.pods, None, Mode.RESUME, 99, 0)
    assert (subscription.position, subscription.phase) == (server.pods.head, Phase.SETTLING)


def test_waits_while_the_topic_was_never_complete(server: Server) -> None:
    server.pods.restart(0.0)
    subscription = Subscription(server.pods, None, Mode.RECONCILE, 99, 0)
    assert (subscription.position, subscription.phase, subscription.is_staged) == (99, Phase.WAITING, True)
    assert not subscription.needs_snapshot


def test_walk_to_its_end_settles_at_through(server: Server) -> None:
    subscription = Subscription(server.pods, None, Mode.SNAPSHOT, None, 0)
    walk = Walk(0, server.pods.log, None, 7, staged=True)
    subscription.begin_walk(walk)
    assert (subscription.is_joining, subscription.is_walking, walk.readers) == (True, True, 1)
    assert subscription.next_slice(PLAIN) is not None
    assert subscription.next_slice(PLAIN) is None
    assert (subscription.position, subscription.phase, walk.readers) == (7, Phase.SETTLING, 0)
    assert subscription.next_slice(PLAIN) is None


def test_reset_forgets_where_it_was(server: Server) -> None:
    subscription = Subscription(server.pods, None, Mode.RECONCILE, 1, 5)
    walk = Walk(0, server.pods.log, 1, 7, staged=True)
    subscription.begin_walk(walk)
    server.pods.restart(0.0)
    subscription.reset()
    assert (subscription.position, subscription.phase, subscription.is_staged) == (None, Phase.WAITING, False)
    assert (walk.readers, subscription.generation, subscription.owes_bookmark) == (0, server.pods.generation, True)


def test_reconcile_opened_again_drops_the_open_digest(server: Server) -> None:
    subscription = Subscription(server.pods, None, Mode.RESUME, 1, 0)
    subscription.digest_at, subscription.requested, subscription.owes_bookmark = 1, (4,), False
    assert subscription.is_reconciling
    subscription.open_reconcile()
    assert {subscription.digest_at, subscription.requested} == {None}
    assert (subscription.is_staged, subscription.owes_bookmark) == (True, True)


def test_close_lets_go_of_walk_and_log(server: Server) -> None:
    wanted = server.pods.parse_filter({"node": "n0"})
    subscription = Subscription(server.pods, wanted, Mode.SNAPSHOT, None, 0)
    log = subscription.log
    assert (list(log.entries), log.readers) == (["a"], 1)
    walk = Walk(0, log, None, 7, staged=True)
    subscription.begin_walk(walk)
    subscription.close()
    assert (log.readers, walk.readers) == (0, 0)
