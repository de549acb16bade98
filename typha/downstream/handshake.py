"""From a Hello to what is sent for each topic: the decisions of docs/protocol.md, section 5. Pure.

cluster, format or where differs, or no cursor   snapshot
cursor that the topic calls resumable            resume
any other cursor                                 reconcile
``seen`` above the head                          wait: nothing older may be sent
topic absent                                     snapshot (an empty one), no waiting
topic never complete                             its mode now, its data when it is (Status says why not yet)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typha.cache.catalog import Catalog
from typha.cache.errors import FilterError
from typha.cache.filters import Filter
from typha.cache.topic import Topic
from typha.downstream.authentication import ANYBODY, Caller
from typha.downstream.connection_limits import FILTERS, TOPICS, OverLimitError
from typha.downstream.settings import DownstreamSettings
from typha.wire.errors import RefusedError
from typha.wire.messages import Hello, Where
from typha.wire.states import PROTOCOL_MAX, PROTOCOL_MIN, Mode, RefusalCode, TopicState


@dataclass(frozen=True, slots=True)
class PlannedTopic:
    """One topic of the answer; ``cursor`` is None in mode snapshot."""

    topic: Topic
    filter: Filter | None
    mode: Mode
    cursor: int | None
    seen: int

    @property
    def is_behind(self) -> bool:
        """The client has seen more than this server holds."""
        topic = self.topic
        return topic.has_synced and topic.state is not TopicState.ABSENT and self.seen > topic.head


def topic_names(
    hello: Hello, feeds: Mapping[str, Sequence[str]], catalog: Catalog, caller: Caller = ANYBODY
) -> list[str]:
    """The topics asked for, each once, in the order of the feed. Raises RefusedError."""
    names: dict[str, None] = {}
    if hello.feed is not None:
        if hello.feed not in feeds:
            raise RefusedError(
                RefusalCode.UNKNOWN_TOPIC,
                f"no feed {hello.feed[:64]!r} here; there are: {_listed(caller.shown(list(feeds)))}",
            )
        names.update(dict.fromkeys(feeds[hello.feed]))
    for name in hello.topics:
        if name not in catalog.topics:
            raise RefusedError(
                RefusalCode.UNKNOWN_TOPIC,
                f"no topic {name[:64]!r} here; there are: {_listed(caller.shown(list(catalog.topics)))}",
            )
        names[name] = None
    if not names:
        raise RefusedError(RefusalCode.BAD_HELLO, "subscribe names no feed and no topic")
    return list(names)


def check_protocol(hello: Hello) -> None:
    """A number that both sides speak. Raises RefusedError."""
    low, high = hello.protocol
    if low > PROTOCOL_MAX or high < PROTOCOL_MIN:
        raise RefusedError(
            RefusalCode.PROTOCOL_VERSION,
            f"this server speaks protocol {PROTOCOL_MIN} to {PROTOCOL_MAX}, the client {low} to {high}; "
            "upgrade the older of the two",
        )


def unready(feeds: Mapping[str, Sequence[str]], catalog: Catalog) -> list[str]:
    """Topics of some feed (without feeds: all) that were never complete here; what `/readyz` waits for too."""
    if catalog.cluster is None:
        return ["the cluster's identity"]
    in_feeds = {name for names in feeds.values() for name in names}
    return [name for name in catalog.not_synced() if not in_feeds or name in in_feeds]


def plan(
    hello: Hello,
    feeds: Mapping[str, Sequence[str]],
    catalog: Catalog,
    settings: DownstreamSettings,
    caller: Caller = ANYBODY,
) -> list[PlannedTopic]:
    """What to do for each topic asked for. Raises RefusedError."""
    check_protocol(hello)
    if len(hello.topics) > settings.max_topics_per_client:
        why = f"{len(hello.topics)} topics are named; one client may name {settings.max_topics_per_client}"
        raise OverLimitError(TOPICS, why, code=RefusalCode.BAD_HELLO)
    names = topic_names(hello, feeds, catalog, caller)
    unknown = [topic for topic in hello.where if topic not in names]
    if unknown:
        raise RefusedError(RefusalCode.BAD_HELLO, f"where names topic {unknown[0][:64]!r}, which is not subscribed")
    filtered = sum(1 for where in hello.where.values() if where)
    if filtered > settings.max_filters_per_client:
        why = f"{filtered} filtered topics; one client may have {settings.max_filters_per_client}"
        raise OverLimitError(FILTERS, why, code=RefusalCode.BAD_HELLO)
    caller.check_topics(names, hello.where)
    try:
        return [_plan_topic(hello, catalog.topics[name], catalog.cluster) for name in names]
    except FilterError as error:
        raise RefusedError(RefusalCode.BAD_HELLO, str(error)) from None


def _plan_topic(hello: Hello, topic: Topic, cluster: str | None) -> PlannedTopic:
    where: Where = hello.where.get(topic.name, {})
    wanted = topic.parse_filter(where)
    if wanted is not None:
        topic.open(wanted)
    held = hello.resume.get(topic.name) if hello.resume_cluster == cluster else None
    if held is None or topic.state is TopicState.ABSENT:
        return PlannedTopic(topic, wanted, Mode.SNAPSHOT, None, 0)
    cursor = held.cursor
    if cursor is None or held.format != topic.form or dict(held.where) != dict(where) or not topic.is_ordered:
        return PlannedTopic(topic, wanted, Mode.SNAPSHOT, None, held.seen if topic.is_ordered else 0)
    can_resume = topic.has_state and topic.resumable(cursor, wanted)
    return PlannedTopic(topic, wanted, Mode.RESUME if can_resume else Mode.RECONCILE, cursor, held.seen)


def _listed(names: Sequence[str]) -> str:
    shown = sorted(names)[:20] or ["none for this identity"]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
