"""``python -m typha_client doctor HOST[:PORT]``: see ``doctor``. Exit codes: 0 well, 1 a step failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
from collections.abc import Sequence

from typha_client.doctor import FAIL, Finding, Question, examine
from typha_client.endpoints import Server, parse_server
from typha_client.tls import Tls

_EXAMPLE = """example:
  python -m typha_client doctor typha.typha-system:5473 --feed felix --tls-ca ca.crt

exit codes: 0 no step failed, 1 a step failed, 2 wrong usage"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m typha_client")
    commands = parser.add_subparsers(required=True, metavar="doctor")
    doctor = commands.add_parser(
        "doctor",
        help="check the way to a server, step by step",
        description="Check the way to a server: name, TCP, TLS, Hello, and with --feed or --topic the first sync.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("server", metavar="HOST[:PORT]", type=_server)
    doctor.add_argument("--feed", help="feed to subscribe to")
    doctor.add_argument("--topic", action="append", default=[], help="topic to subscribe to; may be repeated")
    doctor.add_argument("--node", default=os.environ.get("NODENAME") or socket.gethostname() or "localhost")
    doctor.add_argument("--tls", action="store_true", help="TLS with the system's CAs")
    doctor.add_argument("--tls-ca", metavar="FILE", help="TLS with this CA (PEM)")
    doctor.add_argument("--tls-cert", metavar="FILE", help="own certificate (PEM)")
    doctor.add_argument("--tls-key", metavar="FILE", help="its key (PEM)")
    doctor.add_argument(
        "--server-name",
        action="append",
        default=[],
        metavar="NAME",
        help="who the server must be: cn:, uri: or dns:NAME; may be repeated",
    )
    doctor.add_argument("--token-file", metavar="FILE", help="bearer token")
    doctor.add_argument("--timeout", type=float, default=30.0, help="seconds for each step (30)")
    doctor.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args(arguments)
    try:
        question = _question(options)
    except (OSError, ValueError) as error:
        doctor.error(str(error))
    return asyncio.run(_run(question, as_json=options.output == "json"))


def _server(text: str) -> Server:
    try:
        return parse_server(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _question(options: argparse.Namespace) -> Question:
    tls = None
    if options.tls or options.tls_ca or options.tls_cert or options.server_name:
        # One file may hold both.
        tls = Tls(options.tls_ca, options.tls_cert, options.tls_key or options.tls_cert, options.server_name)
        tls.source()
    elif options.tls_key:
        raise ValueError("--tls-key without --tls-cert")
    token = None
    if options.token_file:
        with open(options.token_file, encoding="utf-8") as file:
            token = file.read().strip()
    return Question(
        server=options.server,
        node=options.node,
        feed=options.feed,
        topics=tuple(options.topic),
        tls=tls,
        token=token,
        timeout_s=options.timeout,
    )


async def _run(question: Question, *, as_json: bool) -> int:
    found: list[Finding] = []
    async for finding in examine(question):
        found.append(finding)
        if not as_json:
            _say(f"{finding.outcome:<5} {finding.check}: {finding.what}")
            if finding.hint:
                _say(f"      -> {finding.hint}")
    is_well = all(finding.outcome != FAIL for finding in found)
    if as_json:
        _say(json.dumps({"ok": is_well, "checks": [finding._asdict() for finding in found]}, indent=2))
    return 0 if is_well else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
