"""Calico gives the v3 object that it makes from a Kubernetes object another UID: the same one, bits turned around.

Source: libcalico-go `backend/k8s/conversion`, rule 4.5: the bits of each byte reversed, except bytes 6 and 8, which
hold an RFC 4122 UUID's version and variant.
"""

from __future__ import annotations

import uuid
from typing import Final

__all__ = ["reverse"]

_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_KEPT: Final = (6, 8)


def reverse(uid: str) -> str:
    """The converted UID. ValueError where `uid` is no UUID."""
    before = uuid.UUID(uid).bytes
    after = bytearray(before.translate(_REVERSED))
    for index in _KEPT:
        after[index] = before[index]
    return str(uuid.UUID(bytes=bytes(after)))
