"""`typha status`: the admin port's /status as tables."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from typha.cli.connecting import TlsCa, TlsCert, TlsKey, TokenFile
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
    admin: Annotated[
        str, typer.Option(metavar="URL", help="The server's admin port; https:// beyond loopback.")
    ] = DEFAULT_ADMIN,
    output: Annotated[
        StatusOutput, typer.Option("-o", "--output", help="Tables, or the page as it is.")
    ] = StatusOutput.TABLE,
    every: Annotated[bool, typer.Option("--all", help="All subscribers, not only the first 20.")] = False,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    token_file: TokenFile = None,
) -> None:
    """Show a server's topics, its watches on the API server and its subscribers.

    Beyond loopback the port asks who comes: --tls-cert, or --token-file.

    Example: kubectl exec deploy/typha -- typha status
    """
    headers = {} if token_file is None else {"Authorization": f"Bearer {token_in(token_file)}"}
    page = fetch(admin, headers, trusted_by(tls_ca, tls_cert, tls_key))
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


def fetch(admin: str, headers: Mapping[str, str], trusted: ssl.SSLContext | None) -> dict[str, Any]:
    """The page at ``URL/status``; ``trusted`` is for https, None for the system's CAs. Raises CliError."""
    url = urlsplit(admin if "://" in admin else f"http://{admin}")
    try:
        host, port = url.hostname, url.port or 9096
    except ValueError:
        host, port = None, 0
    if url.scheme not in ("http", "https") or not host:
        raise CliError(
            f"--admin {admin!r} is no http://HOST:PORT or https://HOST:PORT",
            f"the default is {DEFAULT_ADMIN}",
            code=USAGE,
        )
    if url.scheme == "http" and (headers or trusted is not None):
        raise CliError("certificates and tokens go to https:// alone", f"--admin https://{host}:{port}", code=USAGE)
    page_url = f"{url.scheme}://{host}:{port}/status"
    connection = (
        http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=trusted)
        if url.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    )
    try:
        connection.request("GET", "/status", headers=dict(headers))
        response = connection.getresponse()
        body = response.read(MAX_PAGE_BYTES)
        if response.status not in (200, 401, 403, 503):
            hint = "is it the admin port? Beyond loopback it is https://"
            raise CliError(f"{page_url} answers {response.status} {response.reason}", hint)
        page = json.loads(body)
    except ssl.SSLCertVerificationError as error:
        raise CliError(
            f"{page_url}: the server's certificate is not accepted: {error.verify_message}", "--tls-ca names its CA"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise CliError(
            f"no answer from {page_url}: {error or type(error).__name__}",
            "is the server running, and is this its `admin` address? (typha serve --print-config) Beyond loopback it "
            "is https://, and asks for --tls-cert or --token-file",
        ) from None
    except ValueError:
        raise CliError(
            f"{page_url} answers with no JSON", "is it the admin port? Beyond loopback it is https://"
        ) from None
    finally:
        connection.close()
    if not isinstance(page, dict) or "error" in page:
        said = page.get("error") if isinstance(page, dict) else page
        hint = "try again in a moment" if response.status not in (401, 403) else "--tls-cert or --token-file"
        raise CliError(f"the server says: {said}", hint)
    return page


def token_in(file: Path) -> str:
    """The file's token. Raises CliError."""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise CliError(f"--token-file {file}: {error}", "a file with a token, and nothing else", code=USAGE) from None


def trusted_by(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What the options ask for; None where there is none of them. Raises CliError."""
    if key is not None and cert is None:
        raise CliError("--tls-key without --tls-cert", "give both or neither", code=USAGE)
    if ca is None and cert is None:
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        files = ", ".join(str(each) for each in (ca, cert, key) if each is not None)
        raise CliError(
            f"{files}: {error}", "give PEM files: a CA, a certificate, its key without password", code=USAGE
        ) from None
    return context


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
