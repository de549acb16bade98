"""`python -m tests.corpus`: make the files that stand beside each YAML file."""

from __future__ import annotations

import argparse
import sys

from tests.controlplane.server_process import ControlPlaneError
from tests.corpus.documents import (
    ROOMS,
    CorpusError,
    lines_path,
    read_lines,
    served_path,
    uses_pod_cidr,
    write_lines,
    yaml_files,
)
from tests.corpus.forms import write_forms
from tests.corpus.holding import held_lines
from tests.corpus.recording import record

_EXAMPLES = """examples:
  python -m tests.corpus record pods              every YAML file of tests/corpus/pods
  python -m tests.corpus record pods/addresses    one of them
  python -m tests.corpus expect pods profiles     the lines of two rooms; then read each line against its rule
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.corpus",
        description="record: YAML through a real API server to NAME.served.jsonl (the first time builds it: 4 minutes)."
        " expect: NAME.served.jsonl through the converters to NAME.lines.jsonl, a draft to be reviewed."
        " forms: pins the converters' forms (forms.json).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("record", "expect", "forms"))
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"ROOM or ROOM/NAME; none: all of {', '.join(ROOMS)}")
    arguments = parser.parse_args()
    try:
        paths = yaml_files(arguments.rooms)
        if arguments.command == "record":
            record(paths, _say)
        elif arguments.command == "forms":
            write_forms()
        else:
            for path in paths:
                lines = held_lines(read_lines(served_path(path)), use_pod_cidr=uses_pod_cidr(path))
                write_lines(lines_path(path), lines)
                _say(f"{path.parent.name}/{lines_path(path).name}: {len(lines)} lines")
    except (CorpusError, ControlPlaneError) as error:
        sys.exit(f"error: {error}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


main()
