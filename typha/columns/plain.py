"""Which fields of a topic's values make good columns. Pure.

1. NAMESPACE and NAME come from the key, the rest from scalar fields of the values: first those that people look for,
   then the ones that most values have.
2. What says nothing in a table (identity, versions, bookkeeping) is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

# Beside NAMESPACE and NAME: 80 characters take about four; wide takes what a large terminal does.
TABLE_FIELDS: Final = 4
WIDE_FIELDS: Final = 9

# Path -> heading, in the order in which kubectl's users expect them.
KNOWN: Final = {
    "status.phase": "STATUS",
    "spec.type": "TYPE",
    "spec.clusterIP": "CLUSTER-IP",
    "addressType": "ADDRESSTYPE",
    "status.podIP": "IP",
    "spec.nodeName": "NODE",
    "spec.podCIDR": "POD-CIDR",
    "spec.unschedulable": "UNSCHEDULABLE",
    "spec.replicas": "REPLICAS",
    "status.readyReplicas": "READY",
}
BORING: Final = frozenset({"apiVersion", "kind"})
BORING_PREFIXES: Final = ("metadata.", "status.conditions", "spec.template.")


class Item(Protocol):
    """What a row is made of."""

    @property
    def key(self) -> str:
        """``namespace/name`` or ``name``."""

    @property
    def rv(self) -> int:
        """The object's resourceVersion."""

    @property
    def value(self) -> Any:
        """The decoded value."""


class Table(NamedTuple):
    """Headings, rows of as many cells, and the key of the entry that each row shows."""

    columns: list[str]
    rows: list[list[str]]
    keys: list[str]


def columns_of(entries: Sequence[Item], *, wide: bool) -> Table:
    """One table of all entries, in their order. ``wide`` adds fields, RV and LABELS."""
    found = [dict(_scalars(entry.value)) for entry in entries]
    paths = _chosen(found, WIDE_FIELDS if wide else TABLE_FIELDS)
    namespaced = any("/" in entry.key for entry in entries)
    headings = ["NAMESPACE", "NAME"] if namespaced else ["NAME"]
    headings += _headings(paths)
    headings += ["RV", "LABELS"] if wide else []
    rows = []
    for entry, fields in zip(entries, found, strict=True):
        space, _, name = entry.key.rpartition("/")
        row = [space, name] if namespaced else [name]
        row += [_text(fields.get(path)) for path in paths]
        if wide:
            row += [str(entry.rv), _labels(entry.value)]
        rows.append(row)
    return Table(headings, rows, [entry.key for entry in entries])


def _chosen(found: Sequence[dict[str, object]], limit: int) -> list[str]:
    seen = Counter(path for fields in found for path in fields)
    known = [path for path in KNOWN if path in seen]
    others = sorted(
        (path for path in seen if path not in KNOWN and path not in BORING and not path.startswith(BORING_PREFIXES)),
        key=lambda path: (-seen[path], path.count("."), path),
    )
    return [*known, *others][:limit]


def _headings(paths: Sequence[str]) -> list[str]:
    last = Counter(path.rpartition(".")[2] for path in paths)

    def heading(path: str) -> str:
        above, _, own = path.rpartition(".")
        # capacity.cpu and allocatable.cpu
        return (f"{above.rpartition('.')[2]}.{own}" if last[own] > 1 and above else own).upper()

    return [KNOWN.get(path) or heading(path) for path in paths]


def _scalars(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _scalars(below, f"{path}.{name}" if path else str(name))
    elif isinstance(value, str | int | float | bool):
        yield path or "value", value


def _text(value: object) -> str:
    if value is None:
        return "<none>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _labels(value: Any) -> str:
    labels = value.get("metadata", {}).get("labels") if isinstance(value, dict) else None
    return (
        ",".join(f"{name}={text}" for name, text in labels.items()) if isinstance(labels, dict) and labels else "<none>"
    )
