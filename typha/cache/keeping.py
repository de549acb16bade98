"""A topic's whole state as plain values, for a file, and back.

Place: `warm_start` writes what `keep` gives, and hands it to `restore` at the next start, before anything else has
touched the topic.

Invariants
1. `keep` is one step: what it gives is the topic at its head. It takes references only; entries
   never change, so they may be encoded afterwards at leisure.
2. A restored topic is the topic that was kept: its log, history, filters by node, claims and quarantine. It is *warm*:
   readers may have it, and it is complete for nobody before the API server has confirmed it (`Topic.confirm_at`).
3. A topic whose versions are no numbers is not kept: its cursors mean nothing to the next process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from typha.cache.claims import ClaimsState
from typha.cache.log import Entry, entry_of
from typha.cache.topic import Quarantined, Topic
from typha.cache.views import Burial, ViewTombstone
from typha.wire.states import TopicState

__all__ = ["KeptTopic", "is_keepable", "keep", "restore"]


class KeptTopic(NamedTuple):
    """Entries and tombstones ascend by rv."""

    name: str
    form: str
    head: int
    horizon: int
    gaps: Sequence[tuple[int, int]]
    entries: Sequence[Entry]
    tombstones: Sequence[tuple[str, int]]
    view_tombstones: Sequence[ViewTombstone]
    claims: ClaimsState | None
    quarantined: Sequence[tuple[str, int, str]]
    restamped: Sequence[str]


def is_keepable(topic: Topic) -> bool:
    """It is complete (and not only absent), and its positions mean something."""
    return topic.has_synced and topic.is_ordered and topic.state is not TopicState.ABSENT


def keep(topic: Topic) -> KeptTopic:
    """The topic as it stands."""
    return KeptTopic(
        name=topic.name,
        form=topic.form,
        head=topic.head,
        horizon=topic.history.horizon,
        gaps=tuple(topic.history.gaps),
        entries=list(topic.log.entries.values()),
        tombstones=list(topic.log.tombstones.items()),
        view_tombstones=sorted(topic.views.tombstones()),
        claims=None if topic.claims is None else topic.claims.state(),
        quarantined=[(name, each.rv, each.reason) for name, each in topic.quarantined.items()],
        restamped=list(topic.restamped),
    )


def restore(topic: Topic, kept: KeptTopic, now: float, message: str) -> None:
    """Into a topic that is as it was made. ``message`` tells its readers where it is from."""
    topic.form = kept.form
    topic.load(_packed(topic, kept.entries))
    log = topic.log
    log.tombstones.update(kept.tombstones)
    log.last_rv = max(log.last_rv, *(rv for _, rv in kept.tombstones[-1:]), 0)
    burials = [Burial(rv, log, key) for key, rv in kept.tombstones]
    burials += topic.views.bury(kept.view_tombstones)
    topic.history.clear(kept.horizon)
    topic.history.gaps = list(kept.gaps)
    for burial in sorted(burials, key=lambda each: each.rv):
        topic.history.bury(burial)
    if topic.claims is not None and kept.claims is not None:
        topic.claims.restore(kept.claims)
    topic.quarantined.update((name, Quarantined(rv, reason)) for name, rv, reason in kept.quarantined)
    topic.restamped.update(kept.restamped)
    if topic.digest_salt is not None:
        log.digests(topic.digest_salt)
    topic.head = kept.head
    topic.confirm_at = math.inf
    topic.set_state(TopicState.SYNCING, now, message)


def _packed(topic: Topic, entries: Sequence[Entry]) -> list[Entry]:
    """As a list would have made them: the topic holds values compressed where it is told to."""
    packer = topic.packer
    if packer is None:
        return list(entries)
    made: dict[str, Entry] = {}
    for entry in entries:
        made[entry.key] = entry_of(entry.rv, (entry.key, entry.value, entry.attributes), None, packer)
        packer.learn(made)
    return list(made.values())
