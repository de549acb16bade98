"""``--where TOPIC.ATTRIBUTE=VALUE`` as the filter that goes to the server."""

from __future__ import annotations

from collections.abc import Iterable

from typha.cli.exits import USAGE, CliError


def parse_where(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """``["pods.node=n1", "pods.labels=app=web"]`` -> ``{"pods": {"node": "n1", "labels": "app=web"}}``.

    The first ``=`` ends the name, its last ``.`` parts topic (which may have dots) and attribute. Raises CliError.
    """
    where: dict[str, dict[str, str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        topic, dot, attribute = name.rpartition(".")
        if not (equals and dot and topic and attribute and value):
            raise CliError(
                f"--where {text!r} is not TOPIC.ATTRIBUTE=VALUE",
                "for example --where pods.node=n1, or --where 'pods.labels=app=web,tier!=db'",
                code=USAGE,
            )
        attributes = where.setdefault(topic, {})
        if attribute in attributes:
            raise CliError(
                f"--where {text!r}: {name} is filtered by {attributes[attribute]!r} already",
                "one value for each attribute; several labels stand in one selector: pods.labels=app=web,tier=db",
                code=USAGE,
            )
        attributes[attribute] = value
    return where
