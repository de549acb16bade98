"""Store: one resourceVersion, consistent pages, compaction, restore."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from tests.simulation.api_client import pod
from typha.simulation.discovery import Resource
from typha.simulation.status import StatusError
from typha.simulation.store import Page, Store, decode

CERTS = Resource("example.com", "v1", "certs", "Cert")


def names(page: Page) -> list[str]:
    return [row.key for row in page.rows]


def test_each_change_takes_the_next_rv(store: Store) -> None:
    first = store.create("pods", pod("a"))
    second = store.create("nodes", {"metadata": {"name": "n1"}})
    third = store.delete("pods", "default/a")
    assert [first.rv, second.rv, third.rv] == [2, 3, 4]
    assert decode(third)["metadata"]["resourceVersion"] == "4"
    assert store.resource_version == 4


def test_replace_keeps_identity_and_a_write_without_change_is_none(store: Store) -> None:
    created = decode(store.create("pods", pod("a")))
    changed = store.replace("pods", pod("a", node="n1"))
    assert decode(changed)["metadata"]["uid"] == created["metadata"]["uid"]
    assert decode(changed)["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert store.replace("pods", decode(changed)).rv == changed.rv == store.resource_version


@pytest.mark.parametrize(
    ("write", "code", "reason"),
    [
        (lambda s: s.create("pods", pod("a")), 409, "AlreadyExists"),
        (lambda s: s.replace("pods", pod("b")), 404, "NotFound"),
        (lambda s: s.delete("pods", "default/b"), 404, "NotFound"),
        (lambda s: s.patch("pods", "default/a", {"metadata": {"resourceVersion": "1"}}), 409, "Conflict"),
        (lambda s: s.create("pods", {"metadata": {"name": "x"}}), 422, "Invalid"),
        (lambda s: s.create("nodes", {"spec": {}}), 422, "Invalid"),
    ],
)
def test_refused_writes(store: Store, write: object, code: int, reason: str) -> None:
    store.create("pods", pod("a"))
    assert callable(write)
    with pytest.raises(StatusError) as caught:
        write(store)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert store.resource_version == 2


def test_merge_patch_sets_and_removes(store: Store) -> None:
    store.create("pods", pod("a", app="web", tier="front"))
    store.patch("pods", "default/a", {"metadata": {"labels": {"tier": None, "new": "1"}}, "spec": {"nodeName": "n2"}})
    obj = decode(store.get("pods", "default/a"))
    assert obj["metadata"]["labels"] == {"app": "web", "new": "1"}
    assert obj["spec"] == {"nodeName": "n2"}


def test_pages_show_one_state_while_everything_changes(store: Store) -> None:
    random = Random(5)
    for number in range(60):
        store.create("pods", pod(f"p{number:02d}", f"ns{number % 3}"))
    expected = sorted(store.table("pods").objects)
    first = store.list_page("pods", limit=7)
    assert first.remaining == 53
    keys, page, extra = names(first), first, 0
    while page.token:
        for _ in range(5):
            victim = random.choice(sorted(store.table("pods").objects))
            if random.random() < 0.5:
                store.delete("pods", victim)
            else:
                store.create("pods", pod(f"q{extra}", f"ns{extra % 3}"))
                extra += 1
        page = store.list_page("pods", limit=7, token=page.token)
        assert page.rv == first.rv
        keys += names(page)
    assert keys == expected


def test_pages_show_versions_of_their_rv(store: Store) -> None:
    for name in "abc":
        store.create("pods", pod(name))
    first = store.list_page("pods", limit=1)
    store.replace("pods", pod("c", node="later"))
    rows = store.list_page("pods", limit=5, token=first.token).rows
    assert [decode(row)["spec"]["nodeName"] for row in rows] == ["", ""]


def test_410_in_mid_list(store: Store) -> None:
    for name in "abcd":
        store.create("pods", pod(name))
    first = store.list_page("pods", limit=2)
    store.delete("pods", "default/c")
    store.compact()
    with pytest.raises(StatusError) as caught:
        store.list_page("pods", limit=2, token=first.token)
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    # The real server offers a token that mixes two states; it works, and whoever uses it has been told.
    inconsistent = msgspec.json.decode(caught.value.body())["metadata"]["continue"]
    assert names(store.list_page("pods", limit=2, token=inconsistent)) == ["default/d"]


def test_exact_lists_and_future_ones(store: Store) -> None:
    old = store.create("pods", pod("a")).rv
    store.delete("pods", "default/a")
    assert names(store.list_page("pods", exact_rv=old)) == ["default/a"]
    assert names(store.list_page("pods")) == []
    with pytest.raises(StatusError, match="Too large resource version: 99, current: 3"):
        store.list_page("pods", exact_rv=99)
    store.compact()
    with pytest.raises(StatusError, match="too old"):
        store.list_page("pods", exact_rv=old)


def test_garbled_token(store: Store) -> None:
    with pytest.raises(StatusError, match="continue key is not valid"):
        store.list_page("pods", token="!!!")


def test_history_until_compaction(store: Store) -> None:
    store.create("pods", pod("a"))
    store.create("nodes", {"metadata": {"name": "n"}})
    store.delete("pods", "default/a")
    assert [(event.type, event.rv) for event in store.history("pods", 1)] == [("ADDED", 2), ("DELETED", 4)]
    store.compact(2)
    assert [event.rv for event in store.history("pods", 2)] == [4]
    with pytest.raises(StatusError, match=r"too old resource version: 1 \(2\)"):
        store.history("pods", 1)


def test_bounded_history_expires(store: Store) -> None:
    small = Store(history_limit=4)
    small.create("pods", pod("a"))
    for number in range(8):
        small.replace("pods", pod("a", node=f"n{number}"))
    with pytest.raises(StatusError, match="too old"):
        small.history("pods", 1)
    assert len(small.table("pods").events) <= 8


def test_register_and_unregister(store: Store) -> None:
    store.register(CERTS)
    with pytest.raises(ValueError, match="registered already"):
        store.register(CERTS)
    store.create("example.com/v1/certs", {"metadata": {"name": "c", "namespace": "default"}})
    table = store.table("certs")
    store.unregister("certs")
    assert table.closed
    assert [event.type for event in table.events] == ["ADDED", "DELETED"]
    with pytest.raises(KeyError, match=r"certs' is not registered; registered: .*v1/pods"):
        store.table("certs")
    store.register(CERTS)
    with pytest.raises(StatusError, match="too old"):  # a watch from its first life does not resume in its second
        store.history("certs", 2)


def test_plural_must_be_unique(store: Store) -> None:
    store.register(Resource("metrics.k8s.io", "v1", "pods", "PodMetrics"))
    with pytest.raises(KeyError, match="ambiguous"):
        store.table("pods")
    assert store.table("v1/pods").resource.kind == "Pod"


def test_rollback_brings_state_and_rv_back(store: Store) -> None:
    store.create("pods", pod("a"))
    copy = store.snapshot()
    store.register(CERTS)
    certs = store.table("certs")
    store.replace("pods", pod("a", node="n1"))
    store.create("pods", pod("b"))
    store.rollback(copy)
    assert (store.resource_version, store.life, certs.closed) == (2, 1, True)
    assert names(store.list_page("pods")) == ["default/a"]
    assert decode(store.get("pods", "default/a"))["spec"]["nodeName"] == ""
    with pytest.raises(StatusError):
        store.history("pods", 1)
    assert store.create("pods", pod("c")).rv == 3  # a version that was somebody else's before


def test_rollback_brings_a_deleted_resource_back(store: Store) -> None:
    store.create("configmaps", {"metadata": {"name": "c", "namespace": "default"}})
    copy = store.snapshot()
    store.unregister("configmaps")
    store.rollback(copy)
    assert names(store.list_page("configmaps")) == ["default/c"]


def test_equal_seeds_give_equal_bytes() -> None:
    first, second, other = (Store(seed=seed).create("pods", pod("a")).tail for seed in (7, 7, 8))
    assert first == second != other


def test_listeners_hear_each_change_until_they_leave(store: Store) -> None:
    heard: list[str] = []
    leave = store.subscribe(lambda table: heard.append(table.resource.plural))
    store.create("pods", pod("a"))
    store.create("nodes", {"metadata": {"name": "n"}})
    leave()
    store.delete("pods", "default/a")
    assert heard == ["pods", "nodes"]
