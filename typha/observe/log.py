"""Structured logs: one line an event, key=value text or JSON, on standard error.

Path: every part logs through the standard library's ``logging`` with fields in ``extra``; this module alone decides
how a line looks.

1. One event is one line, whatever its values hold: control characters are escaped, so that nobody can forge a line.
2. Each line of a connection carries its id (``conn``): from ``extra`` (a LoggerAdapter) or from `connection_id`.
3. Secrets are hidden by field name and by look (bearer tokens, JWTs, private keys), in messages and tracebacks too.
   That is the net below the rule that nobody logs one.
4. A value is at most `VALUE_CHARACTERS` long: no object's body fits into a line.

Not taken: structlog. What is needed of it is the hundred lines below, and a dependency of every agent's server image
is one more thing to keep safe.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, TextIO

connection_id: ContextVar[str | None] = ContextVar("typha_connection_id", default=None)
"""The id of the connection whose work is being done, where a task or callback serves one connection."""

HIDDEN: Final = "(hidden)"
# Errors of the API server and of TLS fit; a pod (1.6 KB and more) does not.
VALUE_CHARACTERS: Final = 500
# A traceback is code locations, not data, and useless if cut at 500.
TRACEBACK_CHARACTERS: Final = 8000

_SECRET_FIELD = re.compile(r"token|passw|secret|credential|authorization|private_key|api_?key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?P<keep>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{6,}"
    r"|(?P<name>\b[\w-]*(?:token|password|passwd|secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/\s@:]+:[^/\s@]+@",
    re.IGNORECASE | re.DOTALL,
)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_BARE = re.compile(r"[\w.:/@+,\[\]()*-]+")


def hide_secrets(text: str) -> str:
    """``text`` without what looks like a credential."""

    def hidden(match: re.Match[str]) -> str:
        kept = match["keep"] or match["name"] or match["scheme"] or ""
        return kept + HIDDEN + ("@" if match["scheme"] else "")

    return _SECRET_TEXT.sub(hidden, text)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}...({len(text)} characters)"


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The line's fields, in the order in which they are written; plain values that JSON can hold."""
    at = datetime.fromtimestamp(record.created, UTC)
    fields: dict[str, object] = {
        "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "msg": _shortened(hide_secrets(record.getMessage()), VALUE_CHARACTERS),
    }
    if (connection := connection_id.get()) is not None:
        fields["conn"] = connection
    for name, value in record.__dict__.items():
        if name in _STANDARD:
            continue
        if _SECRET_FIELD.search(name):
            fields[name] = HIDDEN
        elif value is None or isinstance(value, bool | int | float):
            fields[name] = value
        else:
            fields[name] = _shortened(hide_secrets(str(value)), VALUE_CHARACTERS)
    if record.exc_info and record.exc_info[0] is not None:
        trace = logging.Formatter().formatException(record.exc_info)
        fields["traceback"] = _shortened(hide_secrets(trace), TRACEBACK_CHARACTERS)
    return fields


class TextFormatter(logging.Formatter):
    """``ts=... level=info logger=typha.x msg="..." key=value``; values that are no bare word are JSON strings."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return " ".join(f"{name}={self._value(value)}" for name, value in fields_of(record).items())

    @staticmethod
    def _value(value: object) -> str:
        if isinstance(value, str):
            return value if _BARE.fullmatch(value) else json.dumps(value)
        return json.dumps(value)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return json.dumps(fields_of(record), separators=(",", ":"))


def configure_logging(
    log_format: str, level: str, *, stream: TextIO | None = None, levels: Mapping[str, str] | None = None
) -> None:
    """Send all logs to ``stream`` (standard error) in ``log_format`` (``text`` or ``json``) from ``level`` on.

    ``levels`` are exceptions by logger. Replaces what was configured before.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # asyncio and aiohttp say at info what concerns their authors.
    for name, own in {"asyncio": "warning", "aiohttp": "warning", **(levels or {})}.items():
        logging.getLogger(name).setLevel(max(logging.getLevelName(own.upper()), root.level))
