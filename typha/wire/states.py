"""The words of the protocol that are not frames: modes, topic states, refusal, close and GoAway codes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 1

ZSTD: Final = "zstd"
# Offered beside ZSTD, never alone: frames may name a dictionary that a Dictionary frame brought.
ZSTD_DICT: Final = "zstd-dict"


class Mode(StrEnum):
    """How the server brings a subscriber up to date on one topic (Welcome)."""

    SNAPSHOT = "snapshot"
    RESUME = "resume"
    RECONCILE = "reconcile"


class TopicState(StrEnum):
    """What the server knows of a topic (Status). Only ``in_sync`` and ``absent`` are complete."""

    WAITING = "waiting"
    SYNCING = "syncing"
    IN_SYNC = "in_sync"
    STALE = "stale"
    ABSENT = "absent"

    @property
    def is_complete(self) -> bool:
        """True where an agent may take what it does not hold for what does not exist."""
        return self in (TopicState.IN_SYNC, TopicState.ABSENT)


class RefusalCode(StrEnum):
    """Why a Hello was refused. A client goes on trying unless ``is_final``."""

    PROTOCOL_VERSION = "protocol_version"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNKNOWN_TOPIC = "unknown_topic"
    BAD_HELLO = "bad_hello"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    NOT_READY = "not_ready"


class CloseCode(StrEnum):
    """Why a side closes, beside the codes of RemoteProtocolError."""

    DONE = "done"
    MOVED = "moved"
    DRAINING = "draining"
    PING_TIMEOUT = "ping_timeout"
    STUCK = "stuck"
    INTERNAL = "internal"
    # The token that it came with is valid no more: come again, with the one of today.
    UNAUTHENTICATED = "unauthenticated"


class GoAwayReason(StrEnum):
    """Why a subscriber is asked to move."""

    DRAINING = "draining"
    REBALANCE = "rebalance"
    MAX_AGE = "max_age"
