"""The metrics as Prometheus reads them, by prometheus_client's own parsers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.observe.pictures import picture
from typha.observe.metrics import make_registry, render
from typha.observe.status import Board

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def board() -> Board:
    board = Board(lambda: 100.0)
    board.publish(picture())
    return board


def families(board: Board) -> dict[str, Metric]:
    body, content_type = render(make_registry(board), OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    return {family.name: family for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    family = name.removesuffix("_total").removesuffix("_info") if name not in found else name
    [sample] = [one for one in found[family].samples if one.name == name and labels.items() <= one.labels.items()]
    return sample.value


def test_openmetrics_holds_the_picture(board: Board) -> None:
    found = families(board)
    assert value(found, "typha_build_info", version="0.1.0", loop="uvloop") == 1
    assert value(found, "typha_topic_entries", topic="pods") == 3
    assert value(found, "typha_topic_state", topic="certs", state="absent") == 1
    assert value(found, "typha_topic_state", topic="certs", state="in_sync") == 0
    assert value(found, "typha_topic_deletes_total", topic="pods") == 4
    assert value(found, "typha_joins_total", mode="snapshot") == 3
    assert value(found, "typha_refusals_total", code="overloaded") == 1
    assert value(found, "typha_upstream_errors_total", resource="v1/pods", kind="connection_lost") == 1
    assert value(found, "typha_sent_bytes_total") == 4096
    assert value(found, "typha_compressed_frames_total", method="dictionary") == 7
    assert value(found, "typha_compression_input_bytes_total", method="dictionary") == 3500
    assert value(found, "typha_compression_output_bytes_total", method="dictionary") == 560
    assert value(found, "typha_dictionaries_trained_total") == 1
    assert value(found, "typha_dictionaries_sent_total") == 2
    assert value(found, "typha_ready") == 1


def test_histogram_is_cumulative_and_complete(board: Board) -> None:
    samples = families(board)["typha_event_to_socket_seconds"].samples
    buckets = {one.labels["le"]: one.value for one in samples if one.name.endswith("_bucket")}
    assert buckets["0.001"] == 5
    assert buckets["0.005"] == 8
    assert buckets["30.0"] == 8
    assert buckets["+Inf"] == 10
    assert [one.value for one in samples if one.name.endswith("_count")] == [10]
    assert [one.value for one in samples if one.name.endswith("_sum")] == [71.5]


def test_the_lag_of_the_loop_is_a_histogram_too(board: Board) -> None:
    samples = families(board)["typha_loop_lag_seconds"].samples
    buckets = {one.labels["le"]: one.value for one in samples if one.name.endswith("_bucket")}
    assert buckets == {"0.01": 998, "0.02": 999, "+Inf": 1000}


def test_a_topic_never_heard_of_has_no_age(board: Board) -> None:
    ages = families(board)["typha_topic_contact_age_seconds"].samples
    assert [one.labels["topic"] for one in ages] == ["pods"]


def ours(board: Board) -> Iterator[Metric]:
    return (family for name, family in families(board).items() if name.startswith("typha_"))


def test_every_family_has_help_and_a_proper_name(board: Board) -> None:
    for family in ours(board):
        assert family.documentation.endswith((".", "1.")), family.name
        assert re.fullmatch(r"typha(_[a-z]+)+", family.name), family.name


def test_no_label_names_a_client(board: Board) -> None:
    labels = {label for family in ours(board) for sample in family.samples for label in sample.labels}
    assert labels == {"topic", "state", "mode", "code", "resource", "kind", "method", "version", "python", "loop", "le"}
    body, _ = render(make_registry(board), OPENMETRICS)
    assert b"node-1" not in body
    assert b"127.0.0.1" not in body


def test_plain_text_for_who_does_not_ask_for_openmetrics(board: Board) -> None:
    body, content_type = render(make_registry(board), "*/*")
    assert content_type.startswith("text/plain")
    names = {family.name for family in parse_text(body.decode())}
    assert {"typha_connections", "typha_event_to_socket_seconds", "typha_topic_puts"} <= names


def test_before_the_first_picture_the_heartbeat_alone() -> None:
    now = [5.0]
    board = Board(lambda: now[0])
    now[0] = 7.5
    found = families(board)
    assert value(found, "typha_loop_heartbeat_age_seconds") == 2.5
    assert "typha_connections" not in found
