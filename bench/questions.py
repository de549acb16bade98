"""The benches by name. Each module has ``QUESTION``, ``add_arguments`` and ``run``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final, Protocol, cast

from bench import calico, convert, fan_out, felix, idle, join, load, resume, sleeper, soak, watch_path
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


BENCHES: Final[Mapping[str, Bench]] = {
    name: cast("Bench", module)
    for name, module in (
        ("load", load),
        ("watch_path", watch_path),
        ("convert", convert),
        ("felix", felix),
        ("fan_out", fan_out),
        ("calico", calico),
        ("idle", idle),
        ("sleeper", sleeper),
        ("resume", resume),
        ("join", join),
        ("soak", soak),
    )
}
