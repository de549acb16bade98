"""`typha status`: the admin port's /status as tables."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from typha.cli.exits import USAGE, CliError
from typha.cli.output import json_page, printable, seconds, show, size, styled, table, write
from typha.observe.status import Latency

DEFAULT_ADMIN = "http://127.0.0.1:9096"
# The first of thousands are an example; --all shows the rest.
SHOWN_SUBSCRIBERS = 20
TIMEOUT_S = 10.0
# A page of 100,000 subscribers has some 50 MB; anything beyond is not our page.
MAX_PAGE_BYTES = 256 << 20

LAG_SHARES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
STATE_STYLES = {"in_sync": "green", "absent": "green", "syncing": "yellow", "waiting": "red", "stale": "red"}


class StatusOutput(StrEnum):
    """How the page looks."""

    TABLE = "table"
    JSON = "json"


def status(
    admin: Annotated[str, typer.Option(metavar="URL", help="The server's admin port.")] = DEFAULT_ADMIN,
    output: Annotated[
        StatusOutput, typer.Option("-o", "--output", help="Tables, or the page as it is.")
    ] = StatusOutput.TABLE,
    every: Annotated[bool, typer.Option("--all", help="All subscribers, not only the first 20.")] = False,
) -> None:
    """Show a server's topics, its watches on the API server and its subscribers.

    Example: kubectl exec deploy/typha -- typha status
    """
    page = fetch(admin)
    if output is StatusOutput.JSON:
        write(json_page(page))
        return
    try:
        for part in render(page, every=every):
            if isinstance(part, str):
                typer.echo(part)
            else:
                show(part)
    except (KeyError, TypeError, AttributeError) as error:
        raise CliError(f"{admin} answers with another page than this release knows: {error!r}", "try -o json") from None


def fetch(admin: str) -> dict[str, Any]:
    """The page at ``URL/status``. Raises CliError."""
    url = urlsplit(admin if "://" in admin else f"http://{admin}")
    try:
        host, port = url.hostname, url.port or 9096
    except ValueError:
        host, port = None, 0
    if url.scheme != "http" or not host:
        raise CliError(f"--admin {admin!r} is no http://HOST:PORT", f"the default is {DEFAULT_ADMIN}", code=USAGE)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/status")
        response = connection.getresponse()
        body = response.read(MAX_PAGE_BYTES)
        if response.status not in (200, 503):
            raise CliError(
                f"http://{host}:{port}/status answers {response.status} {response.reason}", "is it the admin port?"
            )
        page = json.loads(body)
    except (OSError, http.client.HTTPException) as error:
        raise CliError(
            f"no answer from http://{host}:{port}/status: {error or type(error).__name__}",
            "is the server running, and is this its `admin` address? (typha serve --print-config)",
        ) from None
    except ValueError:
        raise CliError(f"http://{host}:{port}/status answers with no JSON", "is it the admin port?") from None
    finally:
        connection.close()
    if not isinstance(page, dict) or "error" in page:
        raise CliError(
            f"the server says: {page.get('error') if isinstance(page, dict) else page}", "try again in a moment"
        )
    return page


def render(page: dict[str, Any], *, every: bool) -> Iterator[Any]:
    """Lines (str) and tables, from top to bottom."""
    build, server, upstream = page["build"], page["server"], page["upstream"]
    what = f"typha {build['version']} (Python {build['python']}, {build['loop']})"
    draining = ", draining" if server["draining"] else ""
    yield f"{what}, up {seconds(page['uptime_s'])}, {'ready' if page['ready'] else 'not ready'}{draining}"
    wire = "TLS" if server["tls"] else "plain TCP"
    yield f"agents    {server['address']} ({wire}), {server['connections']} of at most {server['max_connections']}"
    if server["peers"]:
        peers = ", ".join(f"{printable(name)} {state} ({held})" for name, state, held, _ in server["peers"])
        yield f"share     {'-' if server['share'] is None else server['share']} beside {peers}"
    yield f"upstream  {printable(upstream['address'])}, cluster {upstream['cluster'] or '-'}"
    lag = Latency(*page["loop_lag"])
    late = ", ".join(f"{name} {1e3 * lag.quantile_s(share):.1f} ms" for name, share in LAG_SHARES)
    yield f"loop lag  {late}, since the start"
    yield ""
    yield _topics(page["topics"])
    quarantined = [(topic["name"], *item) for topic in page["topics"] for item in topic["quarantined"]]
    if quarantined:
        yield ""
        yield table(("QUARANTINED", "OBJECT", "RV", "REASON"), quarantined, right=("RV",))
    if upstream["reflectors"]:
        yield ""
        yield _reflectors(upstream["reflectors"])
    if page["subscribers"]:
        yield ""
        shown = page["subscribers"] if every else page["subscribers"][:SHOWN_SUBSCRIBERS]
        yield _subscribers(shown)
        if len(shown) < len(page["subscribers"]):
            yield f"... and {len(page['subscribers']) - len(shown)} more; --all shows them"


def _topics(topics: list[dict[str, Any]]) -> Any:
    columns = (
        "TOPIC",
        "STATE",
        "SINCE",
        "AGE",
        "HEAD",
        "HORIZON",
        "ENTRIES",
        "BYTES",
        "SUBSCRIBERS",
        "QUARANTINED",
        "MESSAGE",
    )
    rows = (
        (
            topic["name"],
            styled(topic["state"], STATE_STYLES.get(topic["state"], "")),
            seconds(topic["since_s"]),
            seconds(topic["age_s"]),
            topic["head"],
            topic["horizon"],
            topic["entries"],
            size(topic["value_bytes"]),
            topic["subscribers"],
            topic["quarantined_count"],
            topic["message"],
        )
        for topic in topics
    )
    return table(columns, rows, right=("HEAD", "HORIZON", "ENTRIES", "BYTES", "SUBSCRIBERS", "QUARANTINED"))


def _reflectors(reflectors: list[dict[str, Any]]) -> Any:
    columns = ("RESOURCE", "STATE", "CONTACT", "LISTS", "WATCHES", "EVENTS", "LAST ERROR")
    rows = (
        (
            one["resource"],
            one["state"],
            seconds(one["contact_s"]),
            one["lists_total"],
            one["watches_total"],
            one["events_total"],
            f"{one['last_error']} ({seconds(one['last_error_s'])} ago)" if one["last_error"] else "",
        )
        for one in reflectors
    )
    return table(columns, rows, right=("LISTS", "WATCHES", "EVENTS"))


def _subscribers(subscribers: list[dict[str, Any]]) -> Any:
    columns = ("NODE", "AGENT", "ADDRESS", "CONNECTED", "CAUGHT UP", "TOPICS", "LAG", "SENT")
    rows = (
        (
            one["node"],
            one["agent"],
            one["address"],
            seconds(one["connected_s"]),
            "yes" if one["caught_up"] else "no",
            ",".join(subscription["topic"] for subscription in one["subscriptions"]),
            max((subscription["lag"] for subscription in one["subscriptions"]), default=0),
            size(one["bytes_sent"]),
        )
        for one in subscribers
    )
    return table(columns, rows, right=("LAG", "SENT"))
