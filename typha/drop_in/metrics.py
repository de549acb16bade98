"""Typha's 24 metrics in Prometheus' text format, with its names, types, labels and quantiles.

Place: `ports` asks for `Exposition.render` at each scrape, on its own thread.

1. Names, types and labels are Typha's to the letter: its counters lack ``_total``, its summaries have quantiles.
2. Every family is there at every scrape, for each of the four feeds, as Typha registers them before it serves.
3. All numbers of a scrape are of one picture.

Not taken: prometheus_client's families. It writes ``_total`` behind every counter's name and knows no quantiles; its
collectors of the process and of Python's runtime are used as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.drop_in.statistics import FeedStatistics, Figures, Picture
from typha.drop_in.summary import QUANTILES, SummaryValue

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Family(NamedTuple):
    """One metric. ``of`` gives its number, or a feed's where ``by_feed``."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    about: str
    by_feed: bool
    attribute: str


def _whole(name: str, kind: Literal["counter", "gauge", "summary"], about: str, attribute: str) -> Family:
    return Family(name, kind, about, by_feed=False, attribute=attribute)


def _feed(name: str, kind: Literal["counter", "gauge", "summary"], about: str, attribute: str) -> Family:
    return Family(name, kind, about, by_feed=True, attribute=attribute)


FAMILIES: Final = (
    _feed("typha_breadcrumb_block", "counter", "Sends for which the agent had waited.", "breadcrumb_block"),
    _feed("typha_breadcrumb_non_block", "counter", "Sends to agents that were behind.", "breadcrumb_non_block"),
    _feed("typha_breadcrumb_seq_number", "gauge", "Rounds of sending of this process.", "breadcrumb_seq_number"),
    _feed("typha_breadcrumb_size", "summary", "Key-value pairs per round of sending.", "breadcrumb_size"),
    _feed("typha_cache_size", "gauge", "Key-value pairs held.", "cache_size"),
    _feed("typha_client_latency_secs", "summary", "How far behind agents are, in seconds.", "client_latency"),
    _feed("typha_client_snapshot_send_secs", "summary", "Time to send the first snapshot.", "client_snapshot_send"),
    _feed("typha_client_write_latency_secs", "summary", "Time of a write.", "client_write_latency"),
    _whole("typha_connections_accepted", "counter", "Connections accepted.", "connections_accepted"),
    _whole("typha_connections_active", "gauge", "Connections open, handshake included.", "connections_active"),
    _whole("typha_connections_dropped", "counter", "Connections closed to rebalance.", "connections_dropped"),
    _feed("typha_connections_grace_used", "counter", "Always 0: nobody is cut for lag.", "grace_used"),
    _feed("typha_connections_streaming", "gauge", "Connections past the handshake.", "connections_streaming"),
    _feed("typha_kvs_per_msg", "summary", "Key-value pairs per message.", "kvs_per_msg"),
    _whole("typha_log_errors", "counter", "Errors while logging.", "log_errors"),
    _whole("typha_logs_dropped", "counter", "Always 0: no log line is dropped.", "logs_dropped"),
    _feed(
        "typha_next_breadcrumb_latency_secs",
        "summary",
        "Without values: nothing is fetched.",
        "next_breadcrumb_latency",
    ),
    _feed("typha_ping_latency", "summary", "Round trip of a ping, in seconds.", "ping_latency"),
    _feed("typha_snapshot_compressed_bytes", "gauge", "Size of the last snapshot.", "snapshot_compressed_bytes"),
    _feed("typha_snapshot_raw_bytes", "gauge", "Its size before compression.", "snapshot_raw_bytes"),
    _feed("typha_snapshots_generated", "counter", "Snapshots built.", "snapshots_generated"),
    _feed("typha_snapshots_reused", "counter", "Joins served from one that was there.", "snapshots_reused"),
    _feed("typha_updates_skipped", "counter", "Events that changed nothing.", "updates_skipped"),
    _feed("typha_updates_total", "counter", "Changes that came in.", "updates_total"),
)
"""By name, as Go's client library sorts them."""

_NONE: Final = FeedStatistics()


class Exposition:
    """What /metrics answers."""

    def __init__(self, figures: Figures, *, runtime: bool, process: bool) -> None:
        self._figures = figures
        self._parts: list[Callable[[], bytes]] = [lambda: typha_text(self._figures.read()).encode()]
        registry = CollectorRegistry(auto_describe=False)
        if process:
            ProcessCollector(registry=registry)
        if runtime:
            GCCollector(registry=registry)
            PlatformCollector(registry=registry)
        if process or runtime:
            self._parts.append(lambda: generate_latest(registry))

    def render(self) -> bytes:
        """The whole page, of `CONTENT_TYPE`."""
        return b"".join(part() for part in self._parts)


def typha_text(picture: Picture) -> str:
    """Typha's 24 families."""
    return "".join(f"{line}\n" for family in FAMILIES for line in _lines(family, picture))


def _lines(family: Family, picture: Picture) -> Iterator[str]:
    yield f"# HELP {family.name} {family.about}"
    yield f"# TYPE {family.name} {family.kind}"
    if not family.by_feed:
        yield f"{family.name} {_number(getattr(picture, family.attribute))}"
        return
    for feed in BUILT_IN_FEEDS:
        value = getattr(picture.feeds.get(feed, _NONE), family.attribute)
        label = f'syncer="{feed}"'
        if isinstance(value, SummaryValue):
            for quantile, at in zip(QUANTILES, value.quantiles, strict=True):
                yield f'{family.name}{{{label},quantile="{quantile:g}"}} {_number(at)}'
            yield f"{family.name}_sum{{{label}}} {_number(value.sum)}"
            yield f"{family.name}_count{{{label}}} {_number(value.count)}"
        else:
            yield f"{family.name}{{{label}}} {_number(value)}"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value.is_integer() else repr(value)
