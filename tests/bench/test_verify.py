"""The bench ``verify``: the real one for a few seconds, and that it would notice."""

from __future__ import annotations

import argparse

import pytest

from bench import verify
from bench.processes import BenchError
from bench.returning_agents import Held, ReturningAgent

LINE = (
    '{"ts":"x","level":"info","logger":"typha.downstream","msg":"topic digest","topic":"pods","head":%d,"digest":"%s"}'
)


def test_agents_hold_what_the_server_holds_under_load() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    verify.add_arguments(parser)
    result = verify.run(parser.parse_args(["--quick", "--seconds", "2.5", "--pods", "200", "--crowd", "20"]))
    figures = {figure.name: figure.value for figure in result.figures}
    assert result.holds, figures
    assert figures["topics joined by snapshot"] > 0


def test_another_digest_and_a_position_that_nobody_named_are_counted() -> None:
    said = verify.digests_said([LINE % (5, "aa"), "no JSON", '{"msg":"serving"}', LINE % (7, "bb"), LINE % (7, "bb")])
    agent = ReturningAgent(0, verify=True)
    agent.digests = [
        Held("pods", 5, "aa", is_bookmark=True),
        Held("pods", 6, "aa", is_bookmark=True),
        Held("pods", 6, "aa", is_bookmark=False),
        Held("pods", 7, "cc", is_bookmark=False),
    ]
    assert verify.compare([agent], said) == (2, 1, 1)


def test_a_server_that_contradicts_itself_is_an_error() -> None:
    with pytest.raises(BenchError, match="two contents of pods at 5"):
        verify.digests_said([LINE % (5, "aa"), LINE % (5, "bb")])
