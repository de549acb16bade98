"""``python -m tests.robustness``: see ``fuzz``. Exit 0: no breach; 1: a breach; 2: usage."""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys

from rich.console import Console
from rich.table import Table

from tests.robustness.fuzz import Report, run


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.robustness",
        description="Send malformed inputs to a running server and check that nothing comes of it.",
        epilog="example: python -m tests.robustness --inputs 2000 --seed 7 -o json",
    )
    parser.add_argument("--inputs", type=int, default=10_000, help="malformed inputs (default 10,000)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds, equal inputs (default 1)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args(arguments)
    if options.inputs < 1:
        parser.error(f"--inputs is {options.inputs}; it must be 1 or more")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = run(options.inputs, options.seed, lambda text: print(text, file=sys.stderr, flush=True))
    if options.output == "json":
        print(json.dumps(dataclasses.asdict(report), indent=1))
    else:
        _print(report)
    return 1 if report.breaches else 0


def _print(report: Report) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("INPUT", "SENT", "ENDED BY"):
        table.add_column(heading, justify="right" if heading == "SENT" else "left")
    for kind, ended in sorted(report.by_kind.items(), key=lambda each: -each[1].total()):
        table.add_row(kind, f"{ended.total():,}", ", ".join(f"{code} {count:,}" for code, count in ended.most_common()))
    console.print(table)
    console.print(f"\nrefused: {report.refused}\nclosed: {report.closed}\nprotocol errors: {report.protocol_errors}")
    console.print(
        f"{report.inputs:,} malformed inputs ({report.past_the_length_check:,} past the length check), "
        f"{report.tolerable:,} legal ones beside them, in {report.seconds:.0f} s\n"
        f"memory {report.memory_growth_bytes / 1e6:+.2f} MB, file handles {report.handles_before} before and "
        f"{report.handles_after} after"
    )
    if report.breaches:
        console.print(f"[red]{len(report.breaches)} breaches[/]")
    else:
        console.print("[green]no breach[/]: all were refused or closed, healthy agents equal the API server's list")
    for breach in report.breaches[:50]:
        console.print(f"  {breach}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
