"""One page of a list: its version, how to go on, and its objects, still raw. Pure.

Invariant: objects are not looked into here; one that is odd must not spoil its page (`ingest` quarantines it).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from typha.upstream.errors import BadAnswerError, Phase

__all__ = ["Page", "parse_page"]


class Page(NamedTuple):
    """`continue_token` is "" on the last page."""

    resource_version: str
    continue_token: str
    items: list[msgspec.Raw]


class _Metadata(msgspec.Struct, rename={"resource_version": "resourceVersion", "token": "continue"}):
    resource_version: str = ""
    token: str = ""


class _List(msgspec.Struct):
    metadata: _Metadata
    items: list[msgspec.Raw] | None = None


_decode_list = msgspec.json.Decoder(_List).decode


def parse_page(body: bytes, phase: Phase = "list") -> Page:
    """Raises BadAnswerError."""
    try:
        decoded = _decode_list(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError(phase, f"the answer is not a list: {error}") from None
    if not decoded.metadata.resource_version:
        raise BadAnswerError(phase, "the list has no resourceVersion; it cannot be watched")
    return Page(decoded.metadata.resource_version, decoded.metadata.token, decoded.items or [])
