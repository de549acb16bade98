"""The eight messages of Calico's wire as frozen dataclasses. Pure data; ``shapes`` says how gob carries them.

Times are nanoseconds since the Unix epoch, None for Go's zero time. A field that gob omitted has Go's zero value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

# Old path, from before Calico's repositories were one; agents compare the whole string.
PACKAGE = "github.com/projectcalico/typha/pkg/syncproto."
SNAPPY = "snappy"
DEFAULT_SYNCER_TYPE = "felix"
"""What an empty SyncerType in a hello means."""


class SyncStatus(IntEnum):
    """State of a feed. Unknown numbers pass through agents, so they are read as plain int."""

    WAIT_FOR_READY = 0
    RESYNC = 1
    IN_SYNC = 2


class UpdateType(IntEnum):
    """What a KV does. Agents look at the missing value for a deletion, and recompute new and updated."""

    UNKNOWN = 0
    NEW = 1
    UPDATED = 2
    DELETED = 3


@dataclass(frozen=True, slots=True)
class ClientHello:
    """First message of an agent, sent at once."""

    hostname: str = ""
    info: str = ""
    version: str = ""
    syncer_type: str = ""
    supports_decoder_restart: bool = False
    compression_algorithms: tuple[str, ...] = ()
    supports_modern_policy_keys: bool = False
    connection_id: int = 0


@dataclass(frozen=True, slots=True)
class ServerHello:
    """First message of the server, exactly once. An agent drops a server that lacks node resource updates."""

    version: str = ""
    syncer_type: str = ""
    supports_node_resource_updates: bool = False
    connection_id: int = 0


@dataclass(frozen=True, slots=True)
class DecoderRestart:
    """Last message of a gob stream: after its Ack a new stream starts, in the named compression ("" or "snappy")."""

    message: str = ""
    compression_algorithm: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """An agent's answer to DecoderRestart: its old reader reads no more."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where the feed stands (``SyncStatus``, or a number from a later version)."""

    status: int = 0


class SerializedUpdate(NamedTuple):
    """One KV. ``value`` None: the key is deleted. ``revision`` None: it was not sent, or is not a string."""

    key: str = ""
    value: bytes | None = None
    revision: str | None = None
    v3_resource_version: str = ""
    ttl_ns: int = 0
    update_type: int = 0


@dataclass(frozen=True, slots=True)
class KVs:
    """A group of updates; within a stream the order per key holds."""

    updates: tuple[SerializedUpdate, ...] = ()


@dataclass(frozen=True, slots=True)
class Ping:
    """The server's question, every 10 s."""

    timestamp_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """An agent's answer. Calico's agents set only the first time."""

    ping_timestamp_ns: int | None = None
    pong_timestamp_ns: int | None = None


AgentMessage = ClientHello | Ack | Pong
ServerMessage = ServerHello | DecoderRestart | Status | KVs | Ping
