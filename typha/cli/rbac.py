"""`typha rbac`: the roles that a configuration needs, as manifests."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from typha.cli.exits import USAGE, CliError, say
from typha.cli.output import json_page, write

if TYPE_CHECKING:
    from typha.feeds.rights import Right

Manifest = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
# Items: Kubernetes' own resources fit on a line, Calico's do not.
LONGEST_LINE = 6


class RbacOutput(StrEnum):
    """How the roles are written."""

    YAML = "yaml"
    JSON = "json"


def rbac(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (YAML).")] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Of the roles and bindings.")] = "typha",
    account: Annotated[
        str, typer.Option(metavar="NAMESPACE/NAME", help="Bind the roles to this ServiceAccount too.")
    ] = "",
    output: Annotated[RbacOutput, typer.Option("-o", "--output", help="YAML, or JSON.")] = RbacOutput.YAML,
) -> None:
    """Print the roles that a server with this configuration needs: the least that it is ready with.

    A ClusterRole, and a Role in each namespace that a topic is confined to. Files that the configuration names
    (certificates) are not opened: this runs anywhere.

    Example: typha rbac --config typha.yaml --account typha-system/typha | kubectl apply -f -
    """
    from typha.config import ConfigError, load  # noqa: PLC0415 - `typha --help` reads no YAML
    from typha.feeds.rights import rights_of  # noqa: PLC0415

    namespace, _, account_name = account.partition("/")
    if account and not (namespace and account_name and "/" not in account_name):
        raise CliError(f"--account {account!r} is no NAMESPACE/NAME", "for example typha-system/typha", code=USAGE)
    try:
        loaded = load(environment=os.environ, file=config, open_files=False)
    except ConfigError as error:
        for problem in error.problems:
            say(f"error: {problem}")
        raise typer.Exit(USAGE) from None
    replicas = loaded.config.replicas
    if replicas.service and not (replicas.namespace or namespace):
        raise CliError(
            f"replicas.service {replicas.service!r} is in the server's own namespace, which is not known here",
            "--account NAMESPACE/NAME, or replicas.namespace",
            code=USAGE,
        )
    made = roles(rights_of(loaded.config, namespace), name)
    if account:
        made += [binding(role, namespace, account_name) for role in made]
    if output is RbacOutput.JSON:
        write(json_page({"apiVersion": "v1", "kind": "List", "items": made}))
    else:
        write(as_yaml(made))


def roles(rights: Iterable[Right], name: str) -> list[Manifest]:
    """The ClusterRole, then a Role for each namespace; rules in a fixed order."""
    by_namespace: defaultdict[str, list[Right]] = defaultdict(list)
    for right in sorted(rights):
        by_namespace[right.namespace].append(right)
    return [_role(name, namespace, held) for namespace, held in sorted(by_namespace.items())]


def binding(role: Manifest, namespace: str, account: str) -> Manifest:
    """What gives a role to a ServiceAccount."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": f"{role['kind']}Binding",
        "metadata": dict(role["metadata"]),
        "roleRef": {"apiGroup": GROUP, "kind": role["kind"], "name": role["metadata"]["name"]},
        "subjects": [subject],
    }


def as_yaml(manifests: Sequence[Manifest]) -> bytes:
    """Documents as people write them: keys in the order given, lists of verbs on one line."""
    import yaml  # noqa: PLC0415 - the server's extra

    class Dumper(yaml.SafeDumper):
        """Indents lists below their key, one item a line where they are long; never writes an alias."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
            style = False if len(sequence) > LONGEST_LINE else flow_style
            return super().represent_sequence(tag, sequence, flow_style=style)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    text = yaml.dump_all(manifests, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=120)
    return str(text).encode()


def _role(name: str, namespace: str, rights: Sequence[Right]) -> Manifest:
    # Resources of one group that share verbs and name are one rule; groups that then share all but their name, too.
    verbs: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for right in rights:
        verbs[right.group, right.name, right.plural].append(right.verb)
    plurals: defaultdict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, object_name, plural), allowed in verbs.items():
        plurals[object_name, group, tuple(allowed)].append(plural)
    groups: defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (object_name, group, shared), resources in plurals.items():
        groups[object_name, tuple(resources), shared].append(group)
    rules: list[Manifest] = []
    for (object_name, together, shared), of_groups in groups.items():
        rule: Manifest = {"apiGroups": of_groups, "resources": list(together)}
        if object_name:
            rule["resourceNames"] = [object_name]
        rules.append(rule | {"verbs": list(shared)})
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": metadata,
        "rules": rules,
    }
