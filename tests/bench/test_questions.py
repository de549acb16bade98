"""The benches: all are named where they are explained, and the one without processes runs."""

from __future__ import annotations

import argparse

import bench
from bench.questions import BENCHES, TOOLS
from typha.feeds.calico import calico_feeds


def test_every_question_is_in_the_overview() -> None:
    listed = [line.split(maxsplit=1) for line in (bench.__doc__ or "").splitlines() if line.startswith("    ")]
    benches, tools = ({name: each.QUESTION for name, each in known.items()} for known in (BENCHES, TOOLS))
    assert dict(listed) == benches | tools


def test_every_kind_of_the_built_in_feeds_has_its_cost() -> None:
    result = BENCHES["convert"].run(argparse.Namespace(seconds=0.001, quick=True))
    costs = {figure.name.removesuffix(": each") for figure in result.figures if figure.name.endswith(": each")}
    assert calico_feeds().topics.keys() <= costs
    assert all(figure.value > 0 for figure in result.figures)
    assert [figure.name for figure in result.figures if figure.at_least] == ["workloadendpoints: conversions"]
