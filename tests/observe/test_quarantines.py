from __future__ import annotations

import logging

import pytest

from typha.cache.topic import Topic
from typha.observe.quarantines import LINES, Quarantines


@pytest.fixture
def topic() -> Topic:
    topic = Topic("pools", 0, form="1")
    topic.begin_list().commit(1, 0.0)
    return topic


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    told = [(record.levelname, str(record.__dict__.get("object", ""))) for record in caplog.records]
    caplog.clear()
    return told


def test_each_object_is_told_once_for_each_reason(topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    quarantines = Quarantines()
    topic.quarantine("a", 2, "bad cidr", 0.0)
    for _ in range(2):
        quarantines.tell([topic])
    assert lines(caplog) == [("WARNING", "a")]
    topic.quarantine("a", 3, "bad cidr", 0.0)
    quarantines.tell([topic])
    assert lines(caplog) == []
    topic.quarantine("a", 4, "bad mask", 0.0)
    quarantines.tell([topic])
    assert lines(caplog) == [("WARNING", "a")]
    topic.delete("a", 5, 0.0)
    quarantines.tell([topic])
    quarantines.tell([topic])
    assert lines(caplog) == [("INFO", "")]
    assert topic.statistics().quarantines == 2


def test_a_broken_converter_fills_no_disk(topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    loading = topic.begin_list()
    for number in range(1000):
        loading.quarantine(f"p{number}", 2, "bad")
    loading.commit(3, 0.0)
    Quarantines().tell([topic])
    assert len(caplog.records) == LINES + 1
    assert caplog.records[-1].__dict__["objects"] == 1000 - LINES
    assert topic.statistics().quarantines == 1000
