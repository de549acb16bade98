"""The proof's own parts: digest, and saying what differs."""

from __future__ import annotations

from typha.cli.demo.proof import Verdict, differences, digest


def test_digest_is_of_the_content_not_of_its_order() -> None:
    assert digest({"t": {"a": {"x": 1, "y": 2}, "b": 1}}) == digest({"t": {"b": 1, "a": {"y": 2, "x": 1}}})
    assert digest({"t": {"a": 1}}) != digest({"t": {"a": 2}})


def test_differences_in_words() -> None:
    true = {"pods": {"a": 1, "b": 2, "c": 3}, "nodes": {}}
    assert differences(true, {"pods": {"b": 7, "c": 3}, "nodes": {"n": 1}}) == (
        "pods lacks a, pods has another b, nodes still has n"
    )
    assert differences({"pods": dict.fromkeys("abcde", 1)}, {}).endswith("pods lacks c and 2 more")


def test_the_line() -> None:
    assert Verdict(3, 7, "ab" * 32, {}).line.startswith("PROOF HOLDS: 3 of 3 agents equal")
    failed = Verdict(3, 7, "ab" * 32, {"n1": "pods lacks a"})
    assert not failed.holds
    assert failed.line.startswith("PROOF FAILS: 1 of 3 agents differ")
    assert failed.line.endswith("n1: pods lacks a")
