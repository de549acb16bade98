"""What is shown of entries that were found."""

from __future__ import annotations

import msgpack

from typha.observe.answers import HIDDEN, json_text, tables
from typha.observe.search import Hit


def hit(topic: str, key: str, rv: int, value: object, *, is_secret: bool = False) -> Hit:
    packed: bytes = msgpack.packb(value)
    return Hit(topic, key, rv, len(packed), None if is_secret else packed, {})


def test_endpoints_have_calicoctls_columns_and_rows_their_keys() -> None:
    web = "/calico/v1/host/n1/workload/k8s/prod%2fweb/endpoint/eth0"
    db = "/calico/v1/host/n0/workload/k8s/prod%2fdb/endpoint/eth0"
    [table] = tables([hit("workloadendpoints", web, 7, {}), hit("workloadendpoints", db, 9, {})], frozenset())
    assert table["columns"] == ["HOSTNAME", "ORCHESTRATOR", "WORKLOAD", "NAME"]
    assert table["rows"] == [["n0", "k8s", "prod.db", "eth0"], ["n1", "k8s", "prod.web", "eth0"]]
    assert (table["keys"], table["rvs"]) == ([db, web], [9, 7])


def test_each_topic_and_each_kind_has_a_table() -> None:
    found = tables(
        [
            hit("pods", "a/x", 3, {"status": {"phase": "Running"}}),
            hit("tiers", "/calico/v1/policy/tier/top/metadata", 4, {"order": 10}),
            hit("pods", "a/y", 2, {"status": {"phase": "Failed"}}),
        ],
        frozenset(),
    )
    assert [(each["topic"], each["columns"]) for each in found] == [
        ("pods", ["NAMESPACE", "NAME", "STATUS"]),
        ("tiers", ["NAME", "ORDER"]),
    ]
    assert found[0]["rows"] == [["a", "x", "Running"], ["a", "y", "Failed"]]


def test_secrets_are_names() -> None:
    [table] = tables([hit("keys", "a/x", 3, {"data": {"k": "v"}}, is_secret=True)], frozenset({"keys"}))
    assert (table["columns"], table["rows"], table["hidden"]) == (["NAMESPACE", "NAME"], [["a", "x"]], HIDDEN)


def test_nothing_found_is_no_table() -> None:
    assert tables([], frozenset()) == []


def test_values_are_text_that_loses_nothing() -> None:
    # A browser's numbers end at 2^53, and JSON has no bytes.
    assert (
        json_text({"n": 2**63, "b": b"\x00", "t": "é"})
        == '{\n  "n": 9223372036854775808,\n  "b": "AA==",\n  "t": "é"\n}'
    )
