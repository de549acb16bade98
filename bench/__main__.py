"""``python -m bench``: see ``bench``. Exit 0: measured and every goal met; 1: a goal missed; 2: usage."""

from __future__ import annotations

import argparse
import json
import resource
import sys

from bench.questions import BENCHES
from bench.report import Result, print_results, say

_EXAMPLES = """\
examples:
  python -m bench                                   all of them, some ten minutes on a quiet machine
  python -m bench --quick                           all of them, short: to see that they run
  python -m bench fan_out --agents 1000 --rate 1000 --seconds 30
  python -m bench load -o json

Each writes bench/results/NAME.json. `python -m bench NAME --help` shows the options of one.
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    # Thousands of sockets here, in the agents and in the server, which inherit it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results: list[Result] = []
    for name in [options.bench] if options.bench else list(BENCHES):
        bench = BENCHES[name]
        if options.bench is None:
            options = parser.parse_args([*(["--quick"] if options.quick else []), "-o", options.output, name])
            options.bench = None
        say(f"{name}: {bench.QUESTION}")
        result = bench.run(options)
        if result.figures:  # else the machine lacks what this one needs, and what was measured elsewhere stays
            say(f"{name}: written to {result.save()}")
        results.append(result)
    if options.output == "json":
        documents = [result.as_json() for result in results]
        print(json.dumps(documents[0] if options.bench else documents, indent=1))
    else:
        print_results(results)
    return 0 if all(result.holds for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure typha: real processes on loopback.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, default=False)
    commands = parser.add_subparsers(dest="bench", metavar="NAME", required=False)
    for name, bench in BENCHES.items():
        command = commands.add_parser(name, help=bench.QUESTION, description=bench.QUESTION)
        _add_common(command, default=argparse.SUPPRESS)
        bench.add_arguments(command)
    return parser


def _add_common(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("--quick", action="store_true", default=default, help="short and small: to see that it runs")
    parser.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table" if default is False else default,
        help="how the figures are printed (default table)",
    )


if __name__ == "__main__":
    sys.exit(main())
