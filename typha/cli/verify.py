"""`typha verify`: a running server's topics beside consistent LISTs of the API server, difference by difference."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from typha.cli import connecting as c
from typha.cli.exits import FAILED, NOT_IN_SYNC, USAGE, CliError, say
from typha.cli.output import json_page, printable, show, table, write

if TYPE_CHECKING:
    from typha.config import Config
    from typha.feeds import TopicSpec
    from typha.upstream.api_session import ApiSession
    from typha.upstream.resources import Source
    from typha.upstream.settings import Settings
    from typha.verification.comparison import Difference
    from typha.verification.listing import ListedTopic
    from typha_client import Client

# One list a second is what a server of ours would do in trouble.
PAUSE_S: Final = 1.0
SHOWN: Final = 20


class VerifyOutput(StrEnum):
    """How the result looks."""

    TABLE = "table"
    JSON = "json"


@dataclass(slots=True)
class Verdict:
    """One topic."""

    name: str
    state: str
    entries: int
    cursor: int | None
    list_rv: int | None
    differences: list[Difference] = field(default_factory=list)


def verify(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The server's configuration file.")] = None,
    server: c.Servers = [c.DEFAULT_SERVER],  # noqa: B006 - typer reads it, nobody writes it
    topic: c.Topics = None,
    output: Annotated[
        VerifyOutput, typer.Option("-o", "--output", help="Tables, or JSON with every difference.")
    ] = VerifyOutput.TABLE,
    grace: Annotated[
        float, typer.Option("--grace", min=0.0, help="Seconds that a change may be under way before it is missed.")
    ] = 10.0,
    timeout: c.Timeout = 60.0,
    tls_ca: c.TlsCa = None,
    tls_cert: c.TlsCert = None,
    tls_key: c.TlsKey = None,
    insecure: c.Insecure = False,
) -> None:
    """Compare what a running server holds with what the API server has, and print what differs.

    Reads the API server with the environment's credentials, as `serve` does, and the topics as an agent. Changes that
    happen meanwhile are looked at again. Exit code: 0 equal, 1 a difference, 2 another configuration than the
    server's, 3 a topic that never was complete there.

    Example: typha verify --config typha.yaml --server 127.0.0.1:5473

    Example: kubectl -n typha-system exec deploy/typha -- typha verify --topic workloadendpoints -o json
    """
    target = c.Target(server, None, topic or [], [], tls_ca, tls_cert, tls_key, insecure)
    verdicts = c.run(_verify(config, target, grace, timeout))
    differences = sum(len(verdict.differences) for verdict in verdicts)
    if output is VerifyOutput.JSON:
        write(json_page({"equal": not differences, "topics": [_record(verdict) for verdict in verdicts]}))
    else:
        _print(verdicts)
    if differences:
        raise typer.Exit(FAILED)


async def _verify(file: Path | None, target: c.Target, grace_s: float, timeout_s: float) -> list[Verdict]:
    from typha import feeds as all_feeds  # noqa: PLC0415 - the server's parts
    from typha.cli.doctor import way_of_serve  # noqa: PLC0415
    from typha.config import ConfigError  # noqa: PLC0415
    from typha.upstream.api_session import ApiSession  # noqa: PLC0415
    from typha.upstream.errors import UpstreamError  # noqa: PLC0415

    try:
        config, load = way_of_serve(file)
    except ConfigError as error:
        raise CliError(str(error), "typha doctor says what is allowed", code=USAGE) from None
    specs = all_feeds.of(config).topics
    if unknown := sorted(set(target.topics) - set(specs)):
        raise CliError(f"no topic {unknown[0]!r} in this configuration", f"there are: {', '.join(specs)}", code=USAGE)
    wanted = {name: spec for name, spec in specs.items() if not target.topics or name in target.topics}
    target.topics[:] = wanted
    try:
        async with ApiSession(load) as session, c.connect_to(target, "verify") as client:
            await _wait_complete(client, target, timeout_s)
            return await _compare_all(session, _settings(config), client, wanted, grace_s)
    except UpstreamError as error:
        raise CliError(f"the API server: {error}", "typha doctor says what is wrong and what to do") from None


def _settings(config: Config) -> Settings:
    from typha.upstream.settings import Settings  # noqa: PLC0415

    return Settings(page_objects=config.upstream.page_size)


async def _wait_complete(client: Client, target: c.Target, timeout_s: float) -> None:
    """Until every topic was complete once; one that is stale is compared as it is."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            await c.wait_in_sync(client, target, max(0.0, min(1.0, deadline - time.monotonic())))
        except CliError as error:
            late = [name for name in client.topics if not _was_complete(client, name)]
            if error.code != NOT_IN_SYNC or (late and time.monotonic() >= deadline):
                raise
            if late:
                continue
        return


def _was_complete(client: Client, name: str) -> bool:
    view = client.topic(name)
    return view.state.is_complete or (view.state == "stale" and view.cursor is not None)


async def _compare_all(
    session: ApiSession, settings: Settings, client: Client, specs: Mapping[str, TopicSpec], grace_s: float
) -> list[Verdict]:
    by_source: dict[Source, list[TopicSpec]] = {}
    for spec in specs.values():
        by_source.setdefault(spec.source, []).append(spec)
    verdicts = {}
    for source, members in by_source.items():
        for verdict in await _compare_source(session, settings, client, source, members, grace_s):
            verdicts[verdict.name] = verdict
    return [verdicts[name] for name in specs]


async def _compare_source(
    session: ApiSession,
    settings: Settings,
    client: Client,
    source: Source,
    specs: Sequence[TopicSpec],
    grace_s: float,
) -> list[Verdict]:
    """Look until nothing is open; at most three times the grace, for what never stands still."""
    from typha.verification.comparison import Held, Observation, Watcher  # noqa: PLC0415
    from typha.verification.listing import list_topics  # noqa: PLC0415
    from typha_client.changes import decode_value  # noqa: PLC0415

    watchers = {spec.name: Watcher(grace_s) for spec in specs}
    verdicts: dict[str, Verdict] = {}
    give_up_at = time.monotonic() + 3 * grace_s + 1
    while True:
        is_open = False
        for listed in await list_topics(session, source, specs, settings):
            view = client.topic(listed.name)
            _check_form(listed, view.format)
            copy = {entry.key: Held(entry.rv, entry.value) for entry in view.list()}
            # Where one of the two has no such resource, only time tells.
            cursor = view.cursor if listed.rv is not None else None
            should = {key: Held(held.rv, decode_value(held.value, key)) for key, held in listed.entries.items()}
            watcher = watchers[listed.name]
            is_open |= watcher.look(Observation(copy, cursor, should, listed.rv), time.monotonic())
            verdicts[listed.name] = Verdict(
                listed.name, view.state, len(copy), view.cursor, listed.rv, watcher.differences
            )
        if not is_open or time.monotonic() > give_up_at:
            return list(verdicts.values())
        await asyncio.sleep(PAUSE_S)


def _check_form(listed: ListedTopic, form: str) -> None:
    if listed.form and form and listed.form != form:
        raise CliError(
            f"the server makes topic {listed.name} in another form ({form}) than this configuration ({listed.form})",
            "run the same release with the server's --config and environment",
            code=USAGE,
        )


def _record(verdict: Verdict) -> dict[str, Any]:
    return {
        "topic": verdict.name,
        "state": verdict.state,
        "entries": verdict.entries,
        "cursor": verdict.cursor,
        "list_rv": verdict.list_rv,
        "differences": [
            {"key": each.key, "kind": each.kind, "server_rv": each.server_rv, "list_rv": each.list_rv}
            for each in verdict.differences
        ],
    }


def _print(verdicts: Sequence[Verdict]) -> None:
    columns = ("TOPIC", "STATE", "ENTRIES", "CURSOR", "LIST", "DIFFERENCES")
    rows = (
        (each.name, each.state, each.entries, each.cursor, each.list_rv, len(each.differences)) for each in verdicts
    )
    show(table(columns, rows, right=columns[2:]))
    for verdict in verdicts:
        if not verdict.differences:
            continue
        typer.echo()
        shown = [
            (verdict.name, each.kind, printable(each.key), each.server_rv, each.list_rv)
            for each in verdict.differences[:SHOWN]
        ]
        show(table(("TOPIC", "DIFFERENCE", "KEY", "SERVER RV", "LIST RV"), shown, right=("SERVER RV", "LIST RV")))
        if len(verdict.differences) > SHOWN:
            say(f"... and {len(verdict.differences) - SHOWN} more; -o json has all")
    differences = sum(len(each.differences) for each in verdicts)
    say(f"{sum(each.entries for each in verdicts)} entries, {differences or 'no'} differences")
