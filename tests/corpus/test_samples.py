"""Our lines for the recorded objects are those of Calico's own server, value by value, nulls included.

The few differences are listed here, each with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pytest

from tests.corpus.converters import TOPICS, converter_of
from tests.corpus.documents import FOLDER, SAMPLES, read_lines
from tests.corpus.holding import held_lines
from tests.corpus.resources import CALICO_CRD, Json
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds.calico import calico_feeds

# Lines whose objects are not among the inputs: FelixConfigurations node.NAME.
_WITHOUT_OBJECT: Final = frozenset(
    {
        "/calico/v1/host/ip-10-0-1-5.eu-west-1.compute.internal/config/IpInIpMtu",
        "/calico/v1/host/node-full/config/VXLANPort",
    }
)
_FAILED: Final = "the recording's lists held one object that fails the whole kind in Calico's server"
# Keys that we hold and the recording lacks, and why.
_OURS_ALONE: Final[Mapping[str, str]] = {
    "/calico/v1/policy/tier/noorder/metadata": "the recording has no lines of tiers",
    "/calico/v1/policy/profile/projectcalico-default-allow/rules": "the recording has its v3 object only",
    "/calico/ipam/v2/assignment/ipv4/block/198.51.100.0-32": _FAILED,
    "/calico/ipam/v2/host/node-full/ipv4/block/10.244.1.0-30": _FAILED,
    "/calico/ipam/v2/virtual/load-balancer/ipv4/block/198.51.100.0-32": _FAILED,
}


def recorded(feed: str) -> dict[str, Any]:
    """Key -> value of one feed as recorded."""
    lines = read_lines(FOLDER / SAMPLES / f"{feed}.jsonl")
    assert {line["type"] for line in lines} == {"new"}
    return {line["key"]: line["value"] for line in lines if line["key"] not in _WITHOUT_OBJECT}


def ours(feed: str) -> dict[str, Any]:
    """Key -> value of the topics of one feed, in the form of the recording."""
    topics = calico_feeds().feeds[feed]
    lines = [line for line in held_lines(read_lines(FOLDER / SAMPLES / "inputs.served.jsonl")) if "value" in line]
    found: dict[str, Any] = {}
    for line in [*lines, *standing_lines()]:
        if line["topic"] in topics:
            assert line["key"] not in found, f"two topics of {feed} hold {line['key']}"
            found[line["key"]] = as_recorded(line["value"])
    return found


def standing_lines() -> list[Json]:
    """What is there without any object."""
    lines = []
    for row in TOPICS:
        converter = converter_of(row, CALICO_CRD if row.group == "calico" else row.group)
        assert converter is not None
        lines += [
            {"topic": row.topic, "key": item.key, "value": msgspec.msgpack.decode(item.value)}
            for item in converter.standing
        ]
    return lines


def as_recorded(value: Any) -> Any:
    """Without what the recording left out or replaced."""
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return value
    metadata = {name: each for name, each in value["metadata"].items() if name != "generation"}
    for name, mark in (("uid", "<uid>"), ("creationTimestamp", "<time>")):
        if name in metadata:
            metadata[name] = mark
    return {**value, "metadata": metadata}


@pytest.mark.parametrize("feed", BUILT_IN_FEEDS)
def test_feed_holds_what_calico_sends(feed: str) -> None:
    found, expected = ours(feed), recorded(feed)
    assert sorted(expected.keys() - found.keys()) == []
    assert sorted(found.keys() - expected.keys() - _OURS_ALONE.keys()) == []
    for key, value in expected.items():
        # As text: 1 is not true, and 1.0 is not 1.
        assert json.dumps(found[key], sort_keys=True) == json.dumps(value, sort_keys=True), key


def test_static_profile_is_the_only_standing_object() -> None:
    name = "projectcalico-default-allow"
    allow = [{"action": "allow"}]
    assert {line["key"]: line["value"] for line in standing_lines()} == {
        f"/calico/resources/v3/projectcalico.org/profiles/{name}": recorded("felix")[
            f"/calico/resources/v3/projectcalico.org/profiles/{name}"
        ],
        f"/calico/v1/policy/profile/{name}/rules": {"inbound_rules": allow, "outbound_rules": allow},
    }
