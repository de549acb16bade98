"""Entries and subscribers are found step by step."""

from __future__ import annotations

from collections.abc import Mapping

import msgpack

from typha.cache.topic import Topic
from typha.downstream.statistics import SubscriberStatistics, SubscriberTopic
from typha.observe.queries import ObjectsQuery, SubscribersQuery
from typha.observe.search import ObjectSearch, SubscriberSearch


def topic(name: str, count: int, attributes: tuple[str, ...] = ("node",)) -> Topic:
    """Entries ns-0/web-0, ns-1/web-1, ... of which each tenth is on node n0; values say their address."""
    made = Topic(name, 0, form="1", attributes=attributes)
    loading = made.begin_list()
    for number in range(count):
        key = f"ns-{number}/Web-{number}"
        value: bytes = msgpack.packb({"ip": f"10.0.0.{number}"})
        loading.put(key, number + 1, [(key, value, tuple(f"n{number % 10}" for _ in attributes))])
    loading.commit(count + 1, 0.0)
    return made


def search(
    topics: Mapping[str, Topic],
    *words: str,
    where: Mapping[str, str] | None = None,
    in_values: bool = False,
    limit: int = 50,
    secret: tuple[str, ...] = (),
) -> ObjectSearch:
    wanted = tuple((name, each.parse_filter(where or {})) for name, each in topics.items())
    return ObjectSearch(ObjectsQuery(wanted, words, in_values, limit), topics, secret)


def run(one: ObjectSearch) -> list[str]:
    for _ in one.steps():
        pass
    return [each.key for each in one.found]


def test_all_words_in_any_case_newest_first() -> None:
    pods = {"pods": topic("pods", 30)}
    assert run(search(pods, "web-1", "ns-1")) == [f"ns-{n}/Web-{n}" for n in (*range(19, 9, -1), 1)]
    assert run(search(pods, "web-1", "ns-2")) == []


def test_the_limit_bounds_what_is_kept_and_all_are_counted() -> None:
    one = search({"pods": topic("pods", 300)}, "web", limit=3)
    assert run(one) == ["ns-299/Web-299", "ns-298/Web-298", "ns-297/Web-297"]
    assert (one.matches, one.looked_at, one.total) == (300, 300, 300)


def test_where_is_what_an_agent_would_ask_for() -> None:
    one = search({"pods": topic("pods", 30)}, where={"node": "n3"})
    assert run(one) == ["ns-23/Web-23", "ns-13/Web-13", "ns-3/Web-3"]
    assert one.found[0].attributes == {"node": "n3"}


def test_values_are_searched_where_asked_for() -> None:
    pods = {"pods": topic("pods", 30)}
    assert run(search(pods, "10.0.0.7")) == []
    one = search(pods, "10.0.0.7", "ns-7", in_values=True)
    assert run(one) == ["ns-7/Web-7"]
    assert one.found[0].value is not None
    assert msgpack.unpackb(one.found[0].value) == {"ip": "10.0.0.7"}


def test_secrets_are_found_by_name_alone_and_come_without_value() -> None:
    keys = {"keys": topic("keys", 5)}
    assert run(search(keys, "10.0.0.3", in_values=True, secret=("keys",))) == []
    one = search(keys, "web-3", in_values=True, secret=("keys",))
    assert run(one) == ["ns-3/Web-3"]
    assert (one.found[0].value, one.found[0].attributes) == (None, {})


def test_it_stops_at_any_step_and_changes_meanwhile_do_not_disturb_it() -> None:
    pods = topic("pods", 300)
    one = search({"pods": pods}, "web", limit=300)
    steps = one.steps()
    next(steps)
    assert (one.looked_at, len(one.found)) == (64, 64)
    pods.delete("ns-0/Web-0", 400, 0.0)
    pods.put("ns-1/Web-1", 401, [("ns-1/Web-1", b"\xc0", ("n1",))], 0.0)
    for _ in steps:
        pass
    # As it was at one moment: the one that went, and the old version of the one that changed.
    assert len({each.key for each in one.found}) == 300
    assert max(each.rv for each in one.found) == 300


def subscriber(number: int, *, lag: int = 0, sent: int = 0, is_caught_up: bool = True) -> SubscriberStatistics:
    stands = SubscriberTopic("pods", "live", 100 - lag, 100, None, {})
    address = f"10.1.0.{number}:4000"
    return SubscriberStatistics(
        f"s-{number}", address, f"node-{number}", "felix", float(number), sent, 0, 0, is_caught_up, (stands,)
    )


def names(query: SubscribersQuery, *each: SubscriberStatistics) -> list[str]:
    one = SubscriberSearch(query)
    for _ in one.steps(each):
        pass
    return [found.node for found in one.found]


def test_subscribers_in_each_order() -> None:
    each = (
        subscriber(1, sent=5),
        subscriber(2, lag=7),
        subscriber(3, lag=1, is_caught_up=False),
        subscriber(4, sent=9),
    )
    assert names(SubscribersQuery((), "lag", 9), *each) == ["node-3", "node-2", "node-1", "node-4"]
    assert names(SubscribersQuery((), "sent", 2), *each) == ["node-4", "node-1"]
    assert names(SubscribersQuery((), "node", 3), *reversed(each)) == ["node-1", "node-2", "node-3"]
    assert names(SubscribersQuery((), "connected", 2), *each) == ["node-1", "node-2"]


def test_subscribers_are_counted_and_chosen_by_words() -> None:
    one = SubscriberSearch(SubscribersQuery(("felix", "node-2"), "lag", 1))
    for _ in one.steps([subscriber(1), subscriber(2), subscriber(21), subscriber(20)]):
        pass
    assert (one.matches, one.total, [each.node for each in one.found]) == (3, 4, ["node-2"])
