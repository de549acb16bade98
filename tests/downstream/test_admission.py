from __future__ import annotations

from tests.downstream.talk import session_of, synced_server
from tests.kit.client import Outlet
from typha.downstream.admission import STALL_S, Joiners
from typha.downstream.statistics import Traffic
from typha.downstream.streams import Subscriber


def subscribers(count: int) -> list[Subscriber]:
    server = synced_server()
    return [Subscriber(session_of(server), Outlet(), Traffic()) for _ in range(count)]


def stall(subscriber: Subscriber) -> None:
    outlet = subscriber.outlet
    assert isinstance(outlet, Outlet)
    outlet.is_slow = True
    subscriber.write(b"x")


def test_places_are_bounded_and_given_in_order() -> None:
    joiners = Joiners(2)
    a, b, c, d = subscribers(4)
    assert [joiners.enter(joiner) for joiner in (a, b, c, d)] == [True, True, False, False]
    assert joiners.enter(a)  # keeps it
    assert (joiners.count, joiners.waiting_count) == (2, 2)
    assert joiners.leave(a) == [c]
    assert joiners.enter(c)
    assert joiners.leave(b) == [d]


def test_who_holds_no_place_frees_none() -> None:
    joiners = Joiners(1)
    a, b, c = subscribers(3)
    joiners.enter(a)
    joiners.enter(b)
    assert joiners.leave(c) == []
    assert joiners.leave(b) == []
    assert joiners.waiting_count == 0
    assert joiners.leave(a) == []


def test_stalled_joiner_is_named_after_a_second() -> None:
    joiners = Joiners(1)
    (a,) = subscribers(1)
    joiners.enter(a)
    assert joiners.evict_stalled(0.0) == []
    stall(a)
    assert joiners.evict_stalled(1.0) == []
    assert joiners.evict_stalled(1.0 + STALL_S / 2) == []
    assert joiners.evict_stalled(1.0 + STALL_S) == [a]


def test_joiner_that_takes_bytes_is_not_stalled() -> None:
    joiners = Joiners(1)
    (a,) = subscribers(1)
    joiners.enter(a)
    for second in range(5):
        stall(a)  # more was written, so the kernel took some
        assert joiners.evict_stalled(float(second)) == []
    outlet = a.outlet
    assert isinstance(outlet, Outlet)
    outlet.is_slow = False
    assert joiners.evict_stalled(100.0) == []
