"""``python -m tests.calico_wire``: see ``fuzz``. Exit 0: no breach; 1: a breach; 2: usage."""

from __future__ import annotations

import argparse
import sys

from tests.calico_wire.fuzz import run


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.calico_wire",
        description="Give malformed gob and snappy streams to the readers of Calico's wire; nothing may come of it.",
        epilog="example: python -m tests.calico_wire --inputs 20000 --seed 7",
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="malformed inputs (default 20,000)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds, equal inputs (default 1)")
    options = parser.parse_args(arguments)
    if options.inputs < 1:
        parser.error(f"--inputs is {options.inputs}; it must be 1 or more")
    report = run(options.inputs, options.seed, lambda text: print(text, file=sys.stderr, flush=True))
    ends = ", ".join(f"{end} {count:,}" for end, count in report.by_end.most_common())
    print(f"{report.inputs:,} inputs, seed {report.seed}: {report.messages:,} messages came out; ended by {ends}")
    print(f"slowest {report.slowest_s * 1000:.1f} ms; {len(report.breaches)} breaches")
    for breach in report.breaches[:50]:
        print(f"  {breach}")
    return 1 if report.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
