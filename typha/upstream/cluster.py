"""Which cluster this is: the UID of the namespace kube-system, and the life that the operator (or a restore) gave it.

Place: the app waits for `read_cluster` before the first subscriber is welcomed.

Invariant: `cluster` is equal at all replicas of one cluster and one configured life, and at no others.
"""

from __future__ import annotations

from typing import Final

import msgspec

from typha.upstream.api_session import ApiSession
from typha.upstream.errors import BadAnswerError
from typha.upstream.lister_watcher import reading_timeout
from typha.upstream.settings import Settings

__all__ = ["cluster_name", "next_life", "read_cluster_uid"]

_PATH: Final = "/api/v1/namespaces/kube-system"


class _Metadata(msgspec.Struct):
    uid: str


class _Namespace(msgspec.Struct):
    metadata: _Metadata


async def read_cluster_uid(session: ApiSession, settings: Settings) -> str:
    """The UID. Raises RequestError (ForbiddenError: the server needs `get` on the namespace kube-system)."""
    body = await session.read("cluster", _PATH, {}, reading_timeout(settings))
    try:
        uid = msgspec.json.decode(body, type=_Namespace).metadata.uid
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswerError("cluster", f"{_PATH}: {error}") from None
    if not uid:
        raise BadAnswerError("cluster", f"{_PATH} has no uid")
    return uid


def cluster_name(uid: str, life: str) -> str:
    """`<uid>/<life>`, as the wire carries it."""
    return f"{uid}/{life}"


def next_life(life: str, random_bits: int) -> str:
    """The life after a restore: the configured one with `random_bits` (32) behind a dot."""
    return f"{life}.{random_bits & 0xFFFFFFFF:08x}"
