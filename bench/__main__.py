"""``python -m bench``: see ``bench``. Exit 0: measured and every goal met; 1: a goal missed; 2: usage."""

from __future__ import annotations

import argparse
import json
import resource
import sys
from dataclasses import asdict

from bench import goals, goals_table
from bench.processes import BenchError
from bench.questions import BENCHES, TOOLS, Bench, Tool
from bench.report import Result, print_results, say

_EXAMPLES = """\
examples:
  python -m bench                                   all of them on a quiet machine, then the table of goals
  python -m bench --quick                           all of them, short: to see that they run
  python -m bench fan_out --agents 1000 --rate 1000 --seconds 30
  python -m bench load -o json
  python -m bench goals                             the table of goals from the stored results

Each writes bench/results/NAME.json (NAME.local.json with --quick). `python -m bench NAME --help` shows the options of
one.
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    # Thousands of sockets here, in the agents and in the server, which inherit it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.bench in TOOLS:
        return TOOLS[options.bench].run(options)
    return _run_one(options) if options.bench else _run_all(parser, options)


def _run_one(options: argparse.Namespace) -> int:
    try:
        result = _measure(options.bench, options)
    except BenchError as error:
        say(f"{options.bench}: failed: {error}")
        return 1
    if options.output == "json":
        print(json.dumps(result.as_json(), indent=1))
    else:
        print_results([result])
    return 0 if result.holds else 1


def _run_all(parser: argparse.ArgumentParser, common: argparse.Namespace) -> int:
    """One that fails does not keep the others from running; the goals that it should have filled are not met."""
    results: list[Result] = []
    failed: list[str] = []
    for name in BENCHES:
        options = parser.parse_args([*(["--quick"] if common.quick else []), "-o", common.output, name])
        try:
            results.append(_measure(name, options))
        except BenchError as error:
            failed.append(f"{name}: {error}")
            say(f"{name}: failed: {error}")
    documents = [result.as_json() for result in results]
    # Goals are of whole runs.
    judged = [] if common.quick else goals_table.judge(documents)
    if common.output == "json":
        print(json.dumps({"results": documents, "goals": [asdict(each) for each in judged]}, indent=1))
    else:
        print_results(results)
        if judged:
            print()
            goals.print_judged(judged)
    if failed:
        say("failed: " + "; ".join(failed))
    return 1 if failed or goals.missed(judged) else 0


def _measure(name: str, options: argparse.Namespace) -> Result:
    bench = BENCHES[name]
    say(f"{name}: {bench.QUESTION}")
    result = bench.run(options)
    say(f"{name}: written to {result.save(is_quick=options.quick)}")
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure typha: real processes on loopback.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, default=False)
    commands = parser.add_subparsers(dest="bench", metavar="NAME", required=False)
    modules: dict[str, Bench | Tool] = {**BENCHES, **TOOLS}
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.QUESTION, description=module.QUESTION)
        _add_common(command, default=argparse.SUPPRESS)
        module.add_arguments(command)
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
