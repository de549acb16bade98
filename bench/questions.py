"""The benches by name, and the tools that work with their results. Each module has ``QUESTION``, ``add_arguments``
and ``run``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final, Protocol, cast

from bench import (
    apiserver,
    calico,
    client,
    convert,
    deliveries,
    deltas,
    document,
    fan_out,
    felix,
    goals_table,
    growth,
    idle,
    join,
    load,
    load_agents,
    plots,
    profile,
    restart,
    resume,
    send_share,
    sleeper,
    soak,
    verify,
    watch_path,
)
from bench.report import Result


class Bench(Protocol):
    """What a bench module is."""

    QUESTION: str

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Its own options; ``--quick`` is there already."""

    @staticmethod
    def run(options: argparse.Namespace) -> Result:
        """Measure; progress goes to stderr."""


class Tool(Protocol):
    """What a tool's module is: only run where it is named."""

    QUESTION: str

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Its own options."""

    @staticmethod
    def run(options: argparse.Namespace) -> int:
        """The exit code."""


BENCHES: Final[Mapping[str, Bench]] = {
    name: cast("Bench", module)
    for name, module in (
        ("load", load),
        ("watch_path", watch_path),
        ("convert", convert),
        ("felix", felix),
        ("deltas", deltas),
        ("fan_out", fan_out),
        ("deliveries", deliveries),
        ("calico", calico),
        ("send_share", send_share),
        ("growth", growth),
        ("idle", idle),
        ("sleeper", sleeper),
        ("restart", restart),
        ("resume", resume),
        ("join", join),
        ("apiserver", apiserver),
        ("verify", verify),
        ("client", client),
        ("soak", soak),
    )
}

TOOLS: Final[Mapping[str, Tool]] = {
    name: cast("Tool", module)
    for name, module in (
        ("load_agents", load_agents),
        ("goals", goals_table),
        ("plots", plots),
        ("report", document),
        ("profile", profile),
    )
}
