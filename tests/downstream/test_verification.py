"""The digest of a topic is the one that an agent in the same state has."""

from __future__ import annotations

import logging

import pytest

from typha.cache.log import Entry
from typha.cache.topic import Topic
from typha.downstream.verification import digest_of, verify
from typha_client.replica import Replica

VALUES = {"a": b"\x01", "b": b"\x02"}


def topic(values: dict[str, bytes]) -> Topic:
    made = Topic("pods", 0, form="f")
    made.load([Entry(rv, key, value, ()) for rv, (key, value) in enumerate(values.items(), 1)])
    made.advance(len(values), 0.0)
    return made


def test_it_is_the_digest_of_a_replica_with_the_same_content() -> None:
    replica = Replica("pods", verify=True)
    for rv, (key, value) in enumerate(VALUES.items(), 1):
        replica._put(key, rv, value, None)
    assert digest_of(topic(VALUES)) == f"{replica.rolling_digest:016x}"


def test_another_value_or_key_is_another_digest() -> None:
    contents: tuple[dict[str, bytes], ...] = (
        VALUES,
        {"a": b"\x01"},
        {"a": b"\x01", "b": b"\x03"},
        {"a": b"\x01", "c": b"\x02"},
        {},
    )
    assert len({digest_of(topic(each)) for each in contents}) == len(contents)


def test_each_topic_is_said_with_its_position(caplog: pytest.LogCaptureFixture) -> None:
    one = topic(VALUES)
    with caplog.at_level(logging.INFO, "typha.downstream"):
        verify([one])
    (record,) = caplog.records
    said = record.__dict__
    assert (record.message, said["topic"], said["head"], said["digest"]) == (
        "topic digest",
        "pods",
        one.head,
        digest_of(one),
    )
