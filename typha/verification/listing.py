"""A consistent LIST of one resource, made into the entries of its topics as the server makes them.

Invariants
1. The list, its pages, the converters, claims and quarantine are the server's own code; only the topics are new.
2. One resource is held at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from typha.cache.topic import Topic
from typha.feeds import TopicSpec
from typha.upstream.api_session import ApiSession
from typha.upstream.discovery import discover
from typha.upstream.errors import BadAnswerError, ResourceNotFoundError
from typha.upstream.ingest import Ingest, Route
from typha.upstream.lister_watcher import ListerWatcher, reading_timeout
from typha.upstream.listing import load_pages
from typha.upstream.positions import Positions
from typha.upstream.resources import Source
from typha.upstream.settings import Settings
from typha.verification.comparison import Held

__all__ = ["ListedTopic", "list_topics"]


class ListedTopic(NamedTuple):
    """What a topic should hold at ``rv`` (None: versions are no numbers). ``form`` "": the resource does not exist.

    Values are msgpack.
    """

    name: str
    form: str
    rv: int | None
    entries: Mapping[str, Held]
    quarantined: int


async def list_topics(
    session: ApiSession, source: Source, specs: Sequence[TopicSpec], settings: Settings
) -> list[ListedTopic]:
    """All topics of one source. Raises RequestError."""
    try:
        resource = await discover(session, source.resource, reading_timeout(settings))
    except ResourceNotFoundError:
        return [ListedTopic(spec.name, "", None, {}, 0) for spec in specs]
    positions = Positions()
    routes = [Route(spec.make_converter(resource), _topic(spec, number)) for number, spec in enumerate(specs)]
    with Ingest(routes, positions).begin_list() as loading:
        lister = ListerWatcher(session, resource, source, settings)
        list_rv = await load_pages(lister, loading, "", settings.load_budget_s)
        try:
            loading.commit(positions.number(list_rv), 0.0)
        except ValueError as error:
            raise BadAnswerError("list", f"the list: {error}") from None
    return [
        ListedTopic(
            route.topic.name,
            route.converter.form,
            route.topic.head if positions.is_ordered else None,
            {key: Held(entry.rv, entry.value) for key, entry in route.topic.log.entries.items()},
            len(route.topic.quarantined),
        )
        for route in routes
    ]


def _topic(spec: TopicSpec, number: int) -> Topic:
    return Topic(
        spec.name,
        number,
        form=spec.form,
        attributes=spec.attributes,
        keys_of=spec.keys.keys_of,
        may_be_contested=spec.keys.may_be_contested,
    )
