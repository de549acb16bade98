"""Raw objects to topics without a server."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from typha.cache.errors import OutOfOrderError, RestoredError
from typha.cache.topic import Topic, in_items
from typha.convert.converter import NO_VALUE, ConversionError, Converted
from typha.convert.passthrough import Passthrough
from typha.upstream.ingest import Ingest, Route
from typha.upstream.positions import Positions
from typha.upstream.watch_stream import Event


def make(fields: Sequence[str] | None = None) -> tuple[Ingest, Topic]:
    converter = Passthrough("Pod", "v1", fields)
    topic = Topic("pods", 0, form=converter.form)
    return Ingest([Route(converter, topic)], Positions()), topic


def raw(name: str, rv: object, namespace: str = "a", **rest: object) -> msgspec.Raw:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(rv)}
    return msgspec.Raw(msgspec.json.encode({"metadata": metadata, **rest}))


def test_list_then_events() -> None:
    ingest, topic = make()
    loading = ingest.begin_list()
    loading.put(raw("x", 3))
    loading.put(raw("y", 2))
    loading.put(raw("", 2))
    loading.put(raw("cluster-wide", 4, namespace=""))
    loading.commit(7, 0.0)
    assert loading.objects == 3
    assert ingest.unreadable_total == 1
    assert list(topic.log.entries) == ["a/y", "a/x", "cluster-wide"]
    ingest.apply(Event("MODIFIED", raw("x", 8)), 1.0)
    ingest.apply(Event("DELETED", raw("y", 9)), 1.0)
    ingest.bookmark("12", 1.0)
    assert (list(topic.log.entries), topic.head) == (["cluster-wide", "a/x"], 12)
    with pytest.raises(OutOfOrderError):
        ingest.apply(Event("ADDED", raw("z", 11)), 1.0)


def test_a_list_that_is_over_holds_nothing() -> None:
    """An error's frames may keep the list; they must not keep its objects."""
    ingest, topic = make()
    with ingest.begin_list() as loading:
        loading.put(raw("x", 3))
    loading.commit(7, 0.0)
    assert not topic.has_synced


class Placed:
    """Keys hold what cannot change in an object's life (`spec.place`); `spec.bad` does not convert."""

    form = "1"
    attributes = ()
    standing = (Converted("always", b"\xc3"),)

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        spec = msgspec.json.decode(raw).get("spec", {})
        key = f"{spec.get('place')}/{object_name}"
        if "bad" in spec:
            raise ConversionError("is bad", [key])
        return [Converted(key, b"\x01" if spec.get("ready") else NO_VALUE)]


def placed() -> tuple[Ingest, Topic]:
    topic = Topic("placed", 0, form="1", keys_of=in_items)
    return Ingest([Route(Placed(), topic)], Positions()), topic


def test_keys_in_items_and_standing_entries() -> None:
    ingest, topic = placed()
    loading = ingest.begin_list()
    for name, spec in (("x", {"ready": 1}), ("y", {}), ("z", {"ready": 1}), ("bad", {"bad": 1})):
        loading.put(raw(name, 3, spec={"place": "p", **spec}))
    loading.delete(raw("z", 4, spec={"place": "p"}))
    loading.commit(7, 0.0)
    assert {key: entry.rv for key, entry in topic.log.entries.items()} == {"always": 1, "p/a/x": 3}
    ingest.apply(Event("MODIFIED", raw("y", 8, spec={"place": "p", "ready": 1})), 1.0)
    ingest.apply(Event("MODIFIED", raw("x", 9, spec={"place": "p", "bad": 1})), 1.0)
    ingest.apply(Event("DELETED", raw("y", 10, spec={"place": "p", "ready": 1})), 1.0)
    assert dict(topic.log.tombstones) == {"p/a/x": 9, "p/a/y": 10}
    assert set(topic.quarantined) == {"a/bad", "a/x"}
    ingest.apply(Event("DELETED", raw("bad", 11, spec={"place": "p", "bad": 1})), 1.0)
    assert set(topic.quarantined) == {"a/x"}


def test_standing_entries_stay_over_a_relist() -> None:
    ingest, topic = placed()
    for at in (7, 9):
        ingest.begin_list().commit(at, 0.0)
        assert {key: entry.rv for key, entry in topic.log.entries.items()} == {"always": 1}


def test_bad_object_is_quarantined_and_comes_back() -> None:
    ingest, topic = make(["spec.nodeName"])
    ingest.begin_list().commit(1, 0.0)
    ingest.apply(Event("ADDED", raw("x", 2, spec={"nodeName": "n"})), 1.0)
    ingest.apply(Event("MODIFIED", raw("x", 3, spec="odd")), 1.0)
    assert topic.log.entries == {}
    assert topic.quarantined["a/x"].rv == 3
    assert "spec" in topic.quarantined["a/x"].reason
    assert topic.head == 3
    ingest.apply(Event("MODIFIED", raw("x", 4, spec={"nodeName": "m"})), 1.0)
    assert (list(topic.log.entries), dict(topic.quarantined)) == (["a/x"], {})


def test_restore_shows_in_a_list() -> None:
    ingest, topic = make()
    loading = ingest.begin_list()
    loading.put(raw("x", 5))
    loading.commit(9, 0.0)
    with pytest.raises(RestoredError):
        ingest.begin_list().commit(8, 1.0)
    with pytest.raises(RestoredError):
        ingest.begin_list().put(raw("x", 4))
    assert topic.head == 9


def test_unordered_versions_are_counted_on() -> None:
    ingest, topic = make()
    ingest.begin_list().commit(ingest._positions.number("8/12"), 0.0)
    ingest.apply(Event("ADDED", raw("x", "3/40")), 1.0)
    ingest.apply(Event("MODIFIED", raw("x", "3/9", a=1)), 1.0)
    assert topic.head == 3
    assert ingest._positions.cursor == "3/9"
