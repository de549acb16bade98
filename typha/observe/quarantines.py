"""The log's side of quarantine: one line for each object that has no value, and one when it has one again.

Place: `app` shows it the topics at every picture (once a second); the status page and the metrics say the same.

Invariants
1. An object is told once for each reason, however often it is listed or changed.
2. A broken converter fills no disk: at most `LINES` lines a picture, then a line that says how many more there are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from typha.cache.topic import Topic

__all__ = ["LINES", "Quarantines"]

LINES: Final = 20

log = logging.getLogger("typha.quarantine")


class Quarantines:
    """What was told of each topic."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, str]] = {}

    def tell(self, topics: Iterable[Topic]) -> None:
        """Write what is new since the last call. Cost: the objects that are in quarantine."""
        for topic in topics:
            told = self._told.setdefault(topic.name, {})
            if not told and not topic.quarantined:
                continue
            new = [name for name, why in topic.quarantined.items() if told.get(name) != why.reason]
            cured = [name for name in told if name not in topic.quarantined]
            for name in new[:LINES]:
                rv, reason = topic.quarantined[name]
                log.warning(
                    "quarantined: it has no value until it is mended",
                    extra={"topic": topic.name, "object": name, "rv": rv, "reason": reason},
                )
            if len(new) > LINES:
                log.warning(
                    "quarantined: more objects, see /status", extra={"topic": topic.name, "objects": len(new) - LINES}
                )
            if cured:
                shown = ",".join(cured[:LINES])
                log.info("mended or gone", extra={"topic": topic.name, "count": len(cured), "objects": shown})
            self._told[topic.name] = {name: why.reason for name, why in topic.quarantined.items()}
