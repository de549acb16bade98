"""`typha get`: a topic's entries as kubectl would show the objects, Calico's as calicoctl would."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from typha.cli import connecting as c
from typha.cli.exits import USAGE, CliError, say
from typha.cli.output import json_page, printable, show, table, write
from typha.cli.where import parse_where
from typha.columns.calico import legacy_table, tables_of
from typha.columns.calico_keys import TOPICS, place_of
from typha.columns.plain import columns_of

if TYPE_CHECKING:
    from typha_client import Entry


class GetOutput(StrEnum):
    """How entries look."""

    TABLE = "table"
    WIDE = "wide"
    LEGACY = "legacy"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def get(
    topic: Annotated[str, typer.Argument(help="The topic, or calicoctl's name for it (wep).", show_default=False)],
    name: Annotated[str | None, typer.Argument(help="One object's name, or its whole key.", show_default=False)] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Only this namespace. [default: default]")
    ] = None,
    every: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")] = False,
    output: Annotated[GetOutput, typer.Option("-o", "--output", help="How entries look.")] = GetOutput.TABLE,
    server: c.Servers = [c.DEFAULT_SERVER],  # noqa: B006 - typer reads it, nobody writes it
    where: c.Wheres = None,
    timeout: c.Timeout = 30.0,
    tls_ca: c.TlsCa = None,
    tls_cert: c.TlsCert = None,
    tls_key: c.TlsKey = None,
    server_name: c.ServerNames = None,
    token_file: c.TokenFile = None,
    insecure: c.Insecure = False,
) -> None:
    """Show what a topic holds, in the manner of kubectl get, and of calicoctl get for Calico's kinds.

    Example: typha get pods -n kube-system -o wide

    Example: typha get workloadendpoints -A
    """
    if every and namespace is not None:
        raise CliError("-A and -n contradict each other", "leave one of them out", code=USAGE)
    if every and name is not None and "/" not in name:
        raise CliError(
            "a single object cannot be looked up in all namespaces",
            f"give -n NAMESPACE, or NAMESPACE/{name}",
            code=USAGE,
        )
    target = c.Target(
        server, None, [topic], where or [], tls_ca, tls_cert, tls_key, insecure, server_name or [], token_file
    )
    entries = c.run(_entries(target, topic, timeout))
    wanted = None if every else (namespace or "default")
    chosen = [entry for entry in entries if _is_wanted(entry.key, name, wanted)]
    if name is not None and not chosen:
        place = f" in namespace {wanted}" if wanted is not None and "/" not in name else ""
        raise CliError(f"topic {topic} has no {name!r}{place}", f"`typha get {topic} -A -o name` lists what it has")
    print_entries(topic, chosen, output, single=name is not None and len(chosen) == 1, every=every)
    if not chosen and output in (GetOutput.TABLE, GetOutput.WIDE, GetOutput.LEGACY):
        say("no entries" + (f" in namespace {wanted}; -A shows all namespaces" if wanted is not None else ""))


async def _entries(target: c.Target, topic: str, timeout_s: float) -> list[Entry]:
    meant = TOPICS.get(topic)
    if meant is None:
        return await _held(target, timeout_s)
    target_meant = dataclasses.replace(target, topics=list(meant))
    if parse_where(target.where).keys() & set(meant):
        return await _held(target_meant, timeout_s)
    try:
        # A topic that is really called so comes first.
        return await _held(target, timeout_s)
    except c.UnknownTopicError:
        return await _held(target_meant, timeout_s)


async def _held(target: c.Target, timeout_s: float) -> list[Entry]:
    async with c.connect_to(target, "get") as client:
        await c.wait_in_sync(client, target, timeout_s)
        entries = [entry for topic in target.topics for entry in client.list(topic)]
        return sorted(entries, key=lambda entry: entry.key)


def _is_wanted(key: str, name: str | None, namespace: str | None) -> bool:
    if (place := place_of(key)) is not None:
        if name is not None and (key == name or "/" in name):
            return key == name or place.is_named(name)
        in_namespace = namespace is None or not place.namespace or place.namespace == namespace
        return in_namespace and (name is None or place.is_named(name))
    if name is not None and "/" in name:
        return key == name
    space, slash, own = key.rpartition("/")
    # A key without a namespace belongs to a cluster-scoped kind: namespaces do not select there.
    return (name is None or own == name) and (namespace is None or not slash or space == namespace)


def print_entries(topic: str, entries: list[Entry], output: GetOutput, *, single: bool, every: bool = False) -> None:
    """Print entries; ``single``: the value alone, not a list of one; ``every``: from all namespaces."""
    whole: Any = entries[0].value if single else _list(entries)
    if output is GetOutput.JSON:
        write(json_page(whole))
    elif output is GetOutput.YAML:
        import yaml  # noqa: PLC0415 - here alone

        write(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120).encode())
    elif output is GetOutput.NAME:
        for entry in entries:
            typer.echo(f"{topic}/{printable(entry.key)}")
    elif output is GetOutput.LEGACY:
        found = legacy_table(entries)
        if found is None:
            raise CliError(f"-o legacy shows workload endpoints only, not {topic}", "leave it out", code=USAGE)
        if entries:
            show(table(found.columns, found.rows))
    else:
        _show_tables(entries, wide=output is GetOutput.WIDE, every=every)


def _list(entries: list[Entry]) -> dict[str, Any]:
    if any(place_of(entry.key) for entry in entries):
        # Calico's values do not say whose they are; their keys do.
        return {"items": [{"key": entry.key, "value": entry.value} for entry in entries]}
    return {"apiVersion": "v1", "kind": "List", "items": [entry.value for entry in entries]}


def _show_tables(entries: list[Entry], *, wide: bool, every: bool) -> None:
    found = tables_of(entries, wide=wide, every=every)
    tables = [*found.tables, *([columns_of(found.others, wide=wide)] if found.others else [])]
    for index, each in enumerate(tables):
        if index:
            typer.echo()
        show(table(each.columns, each.rows))
