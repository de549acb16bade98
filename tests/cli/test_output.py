"""Numbers and texts as people read them."""

from __future__ import annotations

import json

import pytest

from typha.cli.output import json_line, printable, seconds, size


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (0.0, "0ms"),
        (0.85, "850ms"),
        (12.9, "12s"),
        (60, "1m"),
        (200, "3m20s"),
        (18_420, "5h7m"),
        (90_000, "1d1h"),
    ],
)
def test_seconds(value: float | None, expected: str) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")])
def test_size(value: int, expected: str) -> None:
    assert size(value) == expected


def test_json_line_is_one_line_of_utf8() -> None:
    line = json_line({"b": "é\n", "a": b"\x00", "lone": "\ud800"})
    assert line.count(b"\n") == 1
    assert json.loads(line)["a"] == "AA=="
    assert line.startswith(b'{"b":"\xc3\xa9\\n",')


def test_printable() -> None:
    assert printable("a\x1b[0m\tb\u202e") == "a\\x1b[0m\\tb\\u202e"
    assert printable(None) == ""
    assert printable(7) == "7"
