"""The admin port's own pages: the picture, its history, and what is asked of the loop; all of them JSON.

Place: between `queries` (what was asked), `inquiries` (the loop's answer) and `pages` (the response). What costs
time, decoding values and laying them out in columns, happens here, on the observers' thread.

1. Values are shown as an agent's handler gets them. Those of topics of Secrets never come this far (`search`).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgpack

from typha.columns.calico import legacy_table, tables_of
from typha.columns.plain import Table, columns_of
from typha.observe import picture
from typha.observe.history import History
from typha.observe.inquiries import BusyError, Inquiries
from typha.observe.pages import Page, Request, Response, error_response, json_response, status_page
from typha.observe.queries import Parameters, parse_object, parse_objects, parse_subscribers
from typha.observe.search import Hit
from typha.observe.status import Board

# Of a status page that wants every subscriber: so long it may wait for the loop, then the last picture will do.
REFRESH_TIMEOUT_S: Final = 0.5

HIDDEN: Final = "values of Secrets are not shown"
_RETRY: Final = (("Retry-After", "1"),)


class Row(NamedTuple):
    """An entry for a table."""

    key: str
    rv: int
    value: Any


class Answers:
    """See the module. Without ``inquiries`` (a server that is not there yet) only the picture is answered."""

    def __init__(self, board: Board, history: History, inquiries: Inquiries | None) -> None:
        self._board = board
        self._history = history
        self._inquiries = inquiries

    def pages(self) -> dict[str, Page]:
        """The pages, by path."""
        made: dict[str, Page] = {"/status": self._status, "/history": self._past}
        if self._inquiries is not None:
            made |= {"/objects": self._objects, "/object": self._object, "/subscribers": self._subscribers}
        return made

    async def _status(self, _: Request, query: Parameters) -> Response:
        query.allow("subscribers")
        wants_subscribers = query.text("subscribers") != "none"
        if wants_subscribers and self._inquiries is not None:
            try:
                async with asyncio.timeout(REFRESH_TIMEOUT_S):
                    await self._inquiries.refresh()
            except (TimeoutError, BusyError):
                pass  # the last picture says how old it is
        return status_page(self._board, subscribers=wants_subscribers)

    async def _past(self, _: Request, query: Parameters) -> Response:
        query.allow("after")
        after = query.number("after", 0, most=2**53)
        return json_response(self._history.page(after, self._board.now()))

    async def _objects(self, _: Request, query: Parameters) -> Response:
        inquiries = self._asked()
        wanted = parse_objects(query, inquiries.topics, inquiries.secret)
        try:
            found = await inquiries.objects(wanted)
        except BusyError as error:
            return _busy(error)
        return json_response(
            {
                "matches": found.matches,
                "looked_at": found.looked_at,
                "total": found.total,
                "is_complete": found.is_complete,
                "tables": tables(found.hits, inquiries.secret),
            }
        )

    async def _object(self, _: Request, query: Parameters) -> Response:
        inquiries = self._asked()
        topic, key = parse_object(query, inquiries.topics)
        try:
            found = await inquiries.entry(topic, key)
        except BusyError as error:
            return _busy(error)
        if found is None:
            return error_response(404, f"topic {topic} does not hold {key[:300]!r} now")
        return json_response(
            {
                "topic": found.topic,
                "key": found.key,
                "rv": found.rv,
                "bytes": found.size,
                "attributes": found.attributes,
                "hidden": HIDDEN if found.value is None else None,
                "value": None if found.value is None else json_text(decoded(found.value)),
            }
        )

    async def _subscribers(self, _: Request, query: Parameters) -> Response:
        wanted = parse_subscribers(query)
        try:
            listed = await self._asked().subscribers(wanted)
        except BusyError as error:
            return _busy(error)
        return json_response(
            {
                "matches": listed.matches,
                "total": listed.total,
                "is_complete": listed.is_complete,
                "subscribers": [picture.subscriber(one) for one in listed.subscribers],
            }
        )

    def _asked(self) -> Inquiries:
        if self._inquiries is None:
            raise RuntimeError("these pages exist only where there are inquiries")
        return self._inquiries


def tables(hits: Iterable[Hit], secret: frozenset[str]) -> list[Mapping[str, Any]]:
    """Tables of entries, topic by topic; a row's cells, its key, version and bytes stand at the same place."""
    made: list[Mapping[str, Any]] = []
    for topic, group in groupby(sorted(hits, key=lambda each: each.topic), key=lambda each: each.topic):
        own = {each.key: each for each in group}
        rows = [Row(each.key, each.rv, None if each.value is None else decoded(each.value)) for each in own.values()]
        for table in _laid_out(rows):
            found = [own[key] for key in table.keys]
            made.append(
                table._asdict()
                | {"topic": topic, "rvs": [each.rv for each in found], "bytes": [each.size for each in found]}
                | {"hidden": HIDDEN if topic in secret else None}
            )
    return made


def _laid_out(rows: Sequence[Row]) -> list[Table]:
    endpoints = legacy_table(rows)
    if endpoints is not None:
        return [endpoints]
    found = tables_of(rows, wide=False, every=True)
    return [*found.tables, *([columns_of(found.others, wide=False)] if found.others else [])]


def decoded(value: bytes) -> Any:
    """What an agent's handler gets."""
    return msgpack.unpackb(value, max_ext_len=0)


def json_text(value: Any) -> str:
    """``value`` as people read it; bytes, which JSON has not, as base64."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=lambda each: base64.b64encode(each).decode())


def _busy(error: BusyError) -> Response:
    return error_response(503, str(error))._replace(headers=_RETRY)
