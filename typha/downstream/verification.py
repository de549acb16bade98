"""``TYPHA_VERIFY=1``: what a round does beside its work. Costs every entry of every topic that changed.

Place: called where a round has sealed its topics, and where a stream begins: ``head`` is the position of the Bookmarks
that follow.

The digest goes to the log as ``topic digest``: who collects agents' ``Replica.rolling_digest`` at their Bookmarks can
say whether each held, at that position, what the server held (``python -m bench verify``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from typha.cache.topic import Topic
from typha.wire.digests import entry_digest

log = logging.getLogger("typha.downstream")


def verify(topics: Iterable[Topic]) -> None:
    """Invariants of each, and its digest to the log. AssertionError where one is broken."""
    for topic in topics:
        topic.check_invariants()
        if log.isEnabledFor(logging.INFO):
            log.info("topic digest", extra={"topic": topic.name, "head": topic.head, "digest": digest_of(topic)})


def trust(topics: Iterable[Topic]) -> None:
    """What is done without ``TYPHA_VERIFY``."""


def digest_of(topic: Topic) -> str:
    """As 16 hexadecimal digits: what a replica in the same state has as ``rolling_digest``."""
    digest = 0
    for entry in topic.log.entries.values():
        digest ^= entry_digest(entry.key, entry.value)
    return f"{digest:016x}"
