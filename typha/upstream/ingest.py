"""Raw objects to topics: who it is, what it looks like, where it goes. Pure.

Place: `reflector` hands on what pages and watches bring; `convert` and `cache` do the work.

Invariants
1. An object is converted and dropped as it arrives.
2. One bad object never stops a list or a watch. One that has a name is quarantined in the topics whose converter it
   failed: it has no value there, as if it had gone (what agents hold must not depend on what a replica saw before).
   One without a readable name and version is counted and skipped.
3. All topics of one reflector see the same events; `head` is where all of them are complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

import msgspec

from typha.cache.loading import Loading
from typha.cache.topic import Topic
from typha.convert.converter import ConversionError, Converted, Converter
from typha.upstream.positions import Positions
from typha.upstream.watch_stream import Event

__all__ = ["Ingest", "ListIngest", "Route"]


# Standing entries come from no object and are as old as the cluster.
_NOBODY: Final = ""
_STANDING_RV: Final = 1


class Route(NamedTuple):
    """What a reflector brings goes through `converter` into `topic`."""

    converter: Converter
    topic: Topic


class _Metadata(msgspec.Struct, rename={"resource_version": "resourceVersion"}, gc=False):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    namespace: str = ""
    resource_version: str = ""


class _Identity(msgspec.Struct, gc=False):
    metadata: _Metadata


_decode_identity: Final = msgspec.json.Decoder(_Identity).decode


class Ingest:
    """The way from one source into its topics."""

    def __init__(self, routes: Sequence[Route], positions: Positions) -> None:
        self.routes = tuple(routes)
        self._positions = positions
        self.unreadable_total = 0
        self.last_unreadable = ""

    @property
    def head(self) -> int:
        """The version up to which every topic is complete."""
        return min(route.topic.head for route in self.routes)

    def begin_list(self) -> ListIngest:
        """Collect a list; nothing changes before its `commit`."""
        return ListIngest(self, [(*route, route.topic.begin_list()) for route in self.routes])

    def apply(self, event: Event, now: float) -> None:
        """One event of a watch. Raises OutOfOrderError."""
        named = self.identify(event.object)
        if named is None:
            return
        name, rv, text = named
        for converter, topic in self.routes:
            if event.is_delete:
                topic.delete(name, rv, now, keys_in_items(converter, topic, name, event.object))
                continue
            items = convert(converter, name, event.object)
            if isinstance(items, ConversionError):
                topic.quarantine(name, rv, items.reason, now, items.keys)
            else:
                topic.put(name, rv, items, now)
        self._positions.reached(text)

    def bookmark(self, resource_version: str, now: float) -> None:
        """Nothing else happened up to there. ValueError where that is no version."""
        rv = self._positions.number(resource_version)
        for route in self.routes:
            route.topic.advance(rv, now)
        self._positions.reached(resource_version)

    def identify(self, raw: msgspec.Raw) -> tuple[str, int, str] | None:
        """Name, position and version of an object; None (and counted) where it has none that can be read."""
        try:
            metadata = _decode_identity(raw).metadata
            rv = self._positions.number(metadata.resource_version)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
            self.unreadable_total += 1
            self.last_unreadable = str(error)[:200]
            return None
        name = f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name
        return name, rv, metadata.resource_version


class ListIngest:
    """One list on its way into all topics. At the end of its ``with`` block it lets go of all that it holds: frames of
    an error would keep half a list for as long as the reflector backs off, those of a watch for as long as it lasts.
    """

    def __init__(self, ingest: Ingest, loadings: Sequence[tuple[Converter, Topic, Loading]]) -> None:
        self._ingest = ingest
        self._loadings = loadings
        self.objects = 0

    def __enter__(self) -> ListIngest:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loadings = ()

    def put(self, raw: msgspec.Raw) -> None:
        """An object of the list. Raises RestoredError where its version proves that etcd went back."""
        named = self._ingest.identify(raw)
        if named is None:
            return
        name, rv, _ = named
        self.objects += 1
        for converter, _, loading in self._loadings:
            items = convert(converter, name, raw)
            if isinstance(items, ConversionError):
                loading.quarantine(name, rv, items.reason, items.keys)
            else:
                loading.put(name, rv, items)

    def delete(self, raw: msgspec.Raw) -> None:
        """An object went while the list was streamed."""
        named = self._ingest.identify(raw)
        if named is not None:
            for converter, topic, loading in self._loadings:
                loading.delete(named[0], keys_in_items(converter, topic, named[0], raw))

    def commit(self, list_rv: int, now: float) -> None:
        """The list is complete at `list_rv`. Raises RestoredError."""
        for converter, _, loading in self._loadings:
            if converter.standing:
                loading.put(_NOBODY, _STANDING_RV, converter.standing)
            loading.commit(list_rv, now)


def keys_in_items(converter: Converter, topic: Topic, name: str, raw: msgspec.Raw) -> Sequence[str]:
    """The keys that the object could have, where only its items say so."""
    if not topic.has_keys_in_items:
        return ()
    items = convert(converter, name, raw)
    return items.keys if isinstance(items, ConversionError) else [item.key for item in items]


def convert(converter: Converter, name: str, raw: msgspec.Raw) -> Sequence[Converted] | ConversionError:
    """The entries of an object, or why it has none."""
    try:
        return converter.convert(name, raw)
    except ConversionError as error:
        return error
