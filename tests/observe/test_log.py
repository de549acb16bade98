"""Log lines: one an event, readable by machines, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from typha.observe.log import VALUE_CHARACTERS, configure_logging, connection_id, hide_secrets


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_line(stream: io.StringIO) -> None:
    configure_logging("text", "info", stream=stream)
    logging.getLogger("typha.downstream").info("subscriber joined", extra={"node": "n1", "topics": 3, "why": 'a "b"'})
    ts, rest = stream.getvalue().split(" ", 1)
    assert ts.startswith("ts=2")
    assert rest == 'level=info logger=typha.downstream msg="subscriber joined" node=n1 topics=3 why="a \\"b\\""\n'


def test_json_line(stream: io.StringIO) -> None:
    configure_logging("json", "info", stream=stream)
    logging.getLogger("typha.x").warning("watch %s lost", "v1/pods", extra={"age_s": 1.5, "path": None})
    line = json.loads(stream.getvalue())
    assert line.pop("ts").endswith("Z")
    assert line == {"level": "warning", "logger": "typha.x", "msg": "watch v1/pods lost", "age_s": 1.5, "path": None}


def test_connection_id_from_the_context_and_from_an_adapter(stream: io.StringIO) -> None:
    configure_logging("text", "info", stream=stream)
    token = connection_id.set("c-7")
    logging.getLogger("typha.x").info("one")
    connection_id.reset(token)
    logging.LoggerAdapter(logging.getLogger("typha.x"), {"conn": "c-8"}).info("two")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("msg=one conn=c-7")
    assert second.endswith("msg=two conn=c-8")


def test_one_event_is_one_line(stream: io.StringIO) -> None:
    configure_logging("text", "info", stream=stream)
    logging.getLogger("typha.x").info("peer said\nlevel=error forged", extra={"node": "n1\r\nts=1"})
    assert len(stream.getvalue().splitlines()) == 1


def test_traceback_is_in_the_line(stream: io.StringIO) -> None:
    configure_logging("json", "info", stream=stream)
    try:
        int("token=abc123")
    except ValueError:
        logging.getLogger("typha.x").exception("failed")
    [line] = stream.getvalue().splitlines()
    assert "ValueError: invalid literal for int() with base 10: 'token=(hidden)'" in json.loads(line)["traceback"]


def test_levels(stream: io.StringIO) -> None:
    configure_logging("text", "warning", stream=stream)
    logging.getLogger("typha.x").info("no")
    logging.getLogger("asyncio").info("no")
    logging.getLogger("typha.x").error("yes")
    assert stream.getvalue().count("\n") == 1


def test_secret_fields_are_hidden(stream: io.StringIO) -> None:
    configure_logging("text", "info", stream=stream)
    logging.getLogger("typha.x").info("hello", extra={"token": "abc", "client_secret": "d", "node": "Bearer abcdef123"})
    assert stream.getvalue().endswith('token=(hidden) client_secret=(hidden) node="Bearer (hidden)"\n')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer (hidden)"),
        ("got eyJhbGciOi.eyJzdWIi.sig here", "got (hidden) here"),
        ("access_token=abc&x=1", "access_token=(hidden)&x=1"),
        ('{"token": "abc"}', '{"token": "(hidden)"}'),
        ("https://user:pass@host/x", "https://(hidden)@host/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----.", "(hidden)."),
        ("continue token expired", "continue token expired"),
        ("https://10.0.0.1:6443/api/v1/pods", "https://10.0.0.1:6443/api/v1/pods"),
    ],
)
def test_what_looks_secret_is_hidden(text: str, expected: str) -> None:
    assert hide_secrets(text) == expected


def test_no_body_fits_into_a_line(stream: io.StringIO) -> None:
    configure_logging("json", "info", stream=stream)
    logging.getLogger("typha.x").info("x" * 5000, extra={"body": {"spec": "y" * 5000}})
    line = json.loads(stream.getvalue())
    assert len(line["msg"]) < VALUE_CHARACTERS + 30
    assert len(line["body"]) < VALUE_CHARACTERS + 30
