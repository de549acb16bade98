"""The recorded sessions, and messages as JSON to compare them with what is written down beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Protocol

from typha.calico_wire.messages import AgentMessage, KVs, SerializedUpdate, ServerMessage

FOLDER: Final = Path(__file__).parent / "captures"
SESSIONS: Final = (1, 2, 3)
Message = AgentMessage | ServerMessage


class Reader(Protocol):
    """Either reader."""

    def receive_data(self, data: bytes) -> None: ...
    def next_message(self) -> Message | None: ...


def from_agent(session: int) -> bytes:
    return (FOLDER / f"felix.{session}.c2s").read_bytes()


def from_server(session: int) -> bytes:
    return (FOLDER / f"felix.{session}.s2c").read_bytes()


def held_by_server(feed: str) -> list[tuple[str, bytes, str, str]]:
    """(key, value, revision, v3 resource version) in the order of the snapshot."""
    everything = json.loads((FOLDER / "kvs.json").read_text())
    return [(key, value.encode(), revision, v3) for key, value, revision, v3 in everything[feed]]


def expected(session: int) -> list[dict[str, Any]]:
    lines = (FOLDER / f"expected.{session}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def read_all(reader: Reader, data: bytes, piece_bytes: int | None = None) -> list[Message]:
    """Every message of ``data``, given in pieces of a size (all at once without one)."""
    found: list[Message] = []
    step = piece_bytes or max(len(data), 1)
    for start in range(0, len(data), step):
        reader.receive_data(data[start : start + step])
        while (message := reader.next_message()) is not None:
            found.append(message)
    return found


def as_json(message: Message) -> dict[str, Any]:
    """The name of its class and its fields; values of KVs as text."""
    if isinstance(message, KVs):
        return {"is": "KVs", "updates": [_update_as_json(update) for update in message.updates]}
    fields = {name: getattr(message, name) for name in message.__dataclass_fields__}
    return {"is": type(message).__name__} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
    }


def _update_as_json(update: SerializedUpdate) -> list[Any]:
    value = None if update.value is None else update.value.decode()
    return [update.key, value, update.revision, update.v3_resource_version, update.ttl_ns, update.update_type]
