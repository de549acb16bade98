"""What `dump`, `tail` and `get` share: where the servers are, what to subscribe to, and waiting until it is in sync.

1. Beyond loopback it is TLS unless ``--insecure`` is said; ``--tls-ca`` or ``--tls-cert`` mean TLS everywhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from typha.cli.exits import FAILED, NOT_IN_SYNC, USAGE, CliError
from typha.cli.where import parse_where
from typha.version import __version__

if TYPE_CHECKING:
    from typha_client import Client, Tls

T = TypeVar("T")

DEFAULT_SERVER = "127.0.0.1:5473"

Servers = Annotated[
    list[str],
    typer.Option(
        "--server", "-s", metavar="HOST:PORT", help="A typha server, or unix:/path; repeat it to name several."
    ),
]
Feed = Annotated[str | None, typer.Option("--feed", "-f", help="A feed (a named list of topics) of the server.")]
Topics = Annotated[list[str] | None, typer.Option("--topic", "-t", help="A topic; repeat it to name several.")]
Wheres = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="TOPIC.ATTRIBUTE=VALUE",
        help="Filter on an attribute that the server's configuration declares; labels take a selector. Repeatable.",
    ),
]
Timeout = Annotated[float, typer.Option("--timeout", min=0.0, help="Seconds to wait until in sync; then exit 3.")]
TlsCa = Annotated[Path | None, typer.Option("--tls-ca", help="CA (PEM) of the server's certificate.")]
TlsCert = Annotated[
    Path | None, typer.Option("--tls-cert", help="Own certificate (PEM), where the server asks for one.")
]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="Key (PEM) of --tls-cert.")]
ServerNames = Annotated[
    list[str] | None,
    typer.Option(
        "--server-name",
        metavar="cn:NAME|uri:URI|dns:NAME",
        help="Who the server must be, in place of its host name; repeat it to allow several.",
    ),
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="A ServiceAccount's token for the server's audience.")
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Plain TCP to servers beyond loopback.")]


class UnknownTopicError(CliError):
    """The server has no such topic or feed."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the user asked for on the command line."""

    servers: list[str]
    feed: str | None = None
    topics: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    server_names: list[str] = field(default_factory=list)
    token_file: Path | None = None


def connect_to(target: Target, command: str) -> Client:
    """A client that is not started yet. Raises CliError where the request itself is wrong."""
    from typha_client import connect  # noqa: PLC0415 - `typha --help` needs no client

    # What goes wrong is told once, at the end; only `tail` goes on and wants to hear of it meanwhile.
    logging.getLogger("typha_client").setLevel(logging.WARNING if command == "tail" else logging.ERROR)
    if target.feed is None and not target.topics:
        raise CliError("nothing to subscribe to", "give --feed NAME or --topic NAME", code=USAGE)
    where = parse_where(target.where)
    if target.feed is None and (unknown := sorted(where.keys() - set(target.topics))):
        raise CliError(
            f"--where filters topic {unknown[0]!r}, which is not subscribed to",
            f"subscribed: {', '.join(target.topics)}",
            code=USAGE,
        )
    try:
        return connect(
            target.servers,
            node=os.environ.get("NODENAME") or socket.gethostname() or "localhost",
            feed=target.feed,
            topics=target.topics,
            where=where,
            agent=f"typha-{command}/{__version__}",
            tls=tls_of(target),
            token=_token_file(target),
        )
    except (ValueError, TypeError) as error:
        raise CliError(str(error), f"see typha {command} --help", code=USAGE) from None


def _token_file(target: Target) -> Path | None:
    if target.token_file is not None:
        try:
            target.token_file.read_bytes()
        except OSError as error:
            raise CliError(f"--token-file {target.token_file}: {error.strerror}", code=USAGE) from None
    return target.token_file


def tls_of(target: Target) -> Tls | None:
    """What the connection is protected with, None for plain TCP. Raises CliError, and ValueError for a bad server."""
    from typha_client import Tls  # noqa: PLC0415
    from typha_client.endpoints import parse_servers  # noqa: PLC0415

    servers = parse_servers(target.servers)
    if target.tls_key is not None and target.tls_cert is None:
        raise CliError("--tls-key without --tls-cert", "give both or neither", code=USAGE)
    asked = target.tls_ca is not None or target.tls_cert is not None or bool(target.server_names)
    if asked and target.insecure:
        given = "--tls-ca, --tls-cert and --server-name"
        raise CliError(f"--insecure contradicts {given}", "leave one of them out", code=USAGE)
    if target.insecure or not (asked or any(not is_loopback(server.host) for server in servers)):
        return None
    key = target.tls_key if target.tls_key is not None or target.tls_cert is None else target.tls_cert
    tls = Tls(ca=target.tls_ca, cert=target.tls_cert, key=key, server_names=target.server_names)
    try:
        tls.source()
    except (ValueError, TypeError) as error:
        hint = "give PEM files: a CA, a certificate and its unencrypted key; names as cn:NAME, uri:URI, dns:NAME"
        raise CliError(str(error), hint, code=USAGE) from None
    return tls


def is_loopback(host: str) -> bool:
    """True where only this machine can be meant. A name other than ``localhost`` may be anywhere."""
    if host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def wait_in_sync(client: Client, target: Target, timeout_s: float) -> None:
    """Until every topic is complete. Raises CliError: 3 with the topics that were not in time, 1 where refused."""
    from typha_client import RefusedError  # noqa: PLC0415

    try:
        await client.wait_synced(timeout_s)
    except RefusedError as error:
        code = str(error.code)
        kind = UnknownTopicError if code == "unknown_topic" else CliError
        raise kind(f"the server refuses: {error}", _refusal_hint(code)) from None
    except TimeoutError:
        late = [name for name in client.topics if not client.topic(name).is_synced]
        names = ", ".join(f"{name} ({_why(client, name)})" for name in late) or f"feed {target.feed}"
        trouble = f"; last error: {client.last_error}" if client.last_error else ""
        raise CliError(
            f"not in sync after {timeout_s:g} s: {names}{trouble}",
            "`typha status` on the server's machine says what it waits for"
            if client.statistics()["connects"]
            else f"is a server at {', '.join(target.servers)}?",
            code=NOT_IN_SYNC,
        ) from None


def _why(client: Client, name: str) -> str:
    view = client.topic(name)
    return f"{view.state}: {view.message}" if view.message else str(view.state)


def _refusal_hint(code: str) -> str:
    hints = {
        "unknown_topic": "`typha status` on the server's machine lists its topics; its --config has the feeds",
        "bad_hello": "filters work on the attributes that the topic's `filters` declare in the server's configuration",
        "protocol_version": "use a typha of the server's release, or one release apart",
        "unauthenticated": "give --tls-cert and --tls-key that the server's client CA has signed, or --token-file",
        "forbidden": "`rights` in the server's configuration say what this identity may read",
    }
    return hints.get(code, "")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine. Ctrl-C cancels it and ends the command with 130."""
    with _known_errors():
        return asyncio.run(work)


@contextmanager
def _known_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CliError(str(error), code=FAILED) from error
