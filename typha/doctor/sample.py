"""How large the topics will be: the first objects of each resource, converted as the server would, times their number.

Invariants
1. A resource costs one list of at most `SAMPLE` objects; how many there are beyond it the API server says itself.
2. What cannot be converted is told by name: in the server it would be quarantined.

Road not taken: listing everything. The figure is for a limit in steps of tens of megabytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import msgspec

from typha.cache.topic import Topic
from typha.convert.converter import ConversionError
from typha.doctor.findings import Finding, warning
from typha.doctor.rights import Served
from typha.feeds import Feeds, TopicSpec
from typha.upstream.api_session import ApiSession
from typha.upstream.errors import ForbiddenError, RequestError
from typha.upstream.ingest import Ingest, Route, convert
from typha.upstream.lister_watcher import ListerWatcher
from typha.upstream.pages import parse_page
from typha.upstream.positions import Positions
from typha.upstream.resources import Resource, Source
from typha.upstream.settings import Settings

__all__ = ["Sample", "Sampled", "sample_topics"]

# Pods of 5 KB: half a megabyte, and the mean is good to a few percent.
SAMPLE: Final = 100
_SHOWN: Final = 3


class Sample(NamedTuple):
    """One resource: its objects, and what its topics make of them."""

    objects: int
    entries: int
    value_bytes: int


class Sampled(NamedTuple):
    """A resource's sample, None where it cannot be listed, and what there is to say."""

    source: Source
    sample: Sample | None
    findings: tuple[Finding, ...] = ()


class _Metadata(msgspec.Struct, rename={"remaining": "remainingItemCount"}):
    remaining: int | None = None


class _Counted(msgspec.Struct):
    metadata: _Metadata


async def sample_topics(
    session: ApiSession, feeds: Feeds, served: Served, settings: Settings
) -> AsyncIterator[Sampled]:
    """One resource after the other."""
    by_source = feeds.sources()
    paged = dataclasses.replace(settings, page_objects=SAMPLE)
    for source, resource in served.items():
        if resource is None:
            continue
        try:
            body = await ListerWatcher(session, resource, source, paged).list_page()
            yield _sampled(source, resource, by_source[source], body)
        except ForbiddenError:
            yield Sampled(source, None)  # `rights` has said so
        except RequestError as error:
            hint = "see the API server's log; the server would try again until it is answered"
            yield Sampled(source, None, (warning(f"list {source.resource}", str(error), hint),))


def _sampled(source: Source, resource: Resource, specs: tuple[TopicSpec, ...], body: bytes) -> Sampled:
    items = parse_page(body).items
    remaining = msgspec.json.decode(body, type=_Counted).metadata.remaining or 0
    routes = [Route(spec.make_converter(resource), _topic(spec)) for spec in specs]
    identify = Ingest(routes, Positions()).identify
    entries = value_bytes = 0
    quarantined: dict[str, str] = {}
    for raw in items:
        named = identify(raw)
        if named is None:
            continue
        for converter, topic in routes:
            converted = convert(converter, named[0], raw)
            if isinstance(converted, ConversionError):
                quarantined[f"{topic.name}: {named[0]}"] = converted.reason
                continue
            given = [item for item in converted if item[1]]
            entries += len(given)
            value_bytes += sum(len(item[0]) + len(item[1]) for item in given)
    objects = len(items) + remaining
    factor = objects / len(items) if items else 0.0
    findings = (_quarantined(source, quarantined, len(items)),) if quarantined else ()
    return Sampled(source, Sample(objects, round(entries * factor), round(value_bytes * factor)), findings)


def _topic(spec: TopicSpec) -> Topic:
    return Topic(spec.name, 0, form=spec.form, attributes=spec.attributes, keys_of=spec.keys.keys_of)


def _quarantined(source: Source, found: dict[str, str], looked_at: int) -> Finding:
    shown = "; ".join(f"{name}: {reason}" for name, reason in list(found.items())[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return warning(
        f"objects {source.resource}",
        f"{len(found)} of {looked_at} cannot be converted: {shown}{more}",
        "mend the objects: no agent sees them as they are",
    )
