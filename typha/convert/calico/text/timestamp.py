"""Points in time as Kubernetes writes them: RFC 3339 in UTC, whole seconds, `2024-05-06T07:08:09Z`.

Place: shared by metadata and by the kinds whose fields are times. Source: `Time` of apimachinery `meta/v1`, which reads
any offset and fraction and writes seconds in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

__all__ = ["canonical"]

_CANONICAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,][0-9]+)?(?:Z|([+-])([0-9]{2}):([0-9]{2}))", re.ASCII
)


def canonical(text: str) -> str:
    """The same second in UTC. ValueError where `text` is no point in time."""
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError("a time is not written as RFC 3339")
    local, sign, hours, minutes = parts.groups()
    at = datetime.fromisoformat(local).replace(tzinfo=UTC)  # also refuses the 30th of February
    if _CANONICAL.fullmatch(text):
        return text
    if sign is not None:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        try:
            at = at.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)
        except OverflowError:
            raise ValueError("a time is outside of the years 1 to 9999") from None
    return f"{at:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0")
