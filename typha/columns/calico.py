"""calicoctl's columns for Calico's keys and values, one table per kind. Pure.

1. What a column shows comes from the key (`calico_keys`) and from the decoded value; a cell without either is empty, as
   calicoctl leaves it.
2. NAMESPACE comes first where all namespaces were asked for, and only for kinds that have one.
3. A profile's three keys are one row.

Road not taken: fetching what calicoctl shows and the agents' values lack (a pool's name and selectors): these are other
objects than the server serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from typha.columns.calico_keys import Place, is_namespaced, place_of, v3_name
from typha.columns.plain import Item, Table, columns_of

Cell = Callable[[Place, Any], Any]

WORKLOADS: Final = "workloadendpoint"
# calicoctl's width of NETS.
_NETS_CHARACTERS: Final = 80


class Layout(NamedTuple):
    """The columns of a kind by default and with `-o wide`."""

    columns: tuple[str, ...]
    wide: tuple[str, ...]
    cells: Mapping[str, Cell]


class Tables(NamedTuple):
    """One table for each kind, and the entries whose keys are not Calico's."""

    tables: list[Table]
    others: list[Item]


def _at(path: str) -> Cell:
    """What stands in the value under the dotted path."""
    names = path.split(".")

    def read(_: Place, value: Any) -> Any:
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return read


def _name(place: Place, _: Any) -> Any:
    return place.name


def _node(place: Place, _: Any) -> Any:
    return place.node


def _joined(*fields: str) -> Cell:
    def read(_: Place, value: Any) -> Any:
        found = (value.get(field) for field in fields) if isinstance(value, dict) else ()
        return [item for each in found if isinstance(each, list) for item in each]

    return read


def _nats(place: Place, value: Any) -> Any:
    nats = _joined("ipv4_nat", "ipv6_nat")(place, value)
    return [f"{nat.get('ext_ip')}->{nat.get('int_ip')}" for nat in nats if isinstance(nat, dict)]


def _nets(place: Place, value: Any) -> Any:
    nets = ",".join(map(str, _joined("nets")(place, value)))
    return nets if len(nets) <= _NETS_CHARACTERS else nets[: _NETS_CHARACTERS - 3] + "..."


def _peer_nodes(place: Place, value: Any) -> Any:
    return _at("spec.node")(place, value) or _at("spec.nodeSelector")(place, value) or "(global)"


def _or_dash(path: str) -> Cell:
    read = _at(path)

    def cell(place: Place, value: Any) -> Any:
        found = read(place, value)
        return "-" if found is None else found

    return cell


def _mode(field: str) -> Cell:
    words = {"": "Never", "always": "Always", "cross-subnet": "CrossSubnet"}

    def read(_: Place, value: Any) -> Any:
        mode = value.get(field) if isinstance(value, dict) else None
        return words.get(mode or "", mode)

    return read


def _labels(place: Place, value: Any) -> Any:
    # The v3 object has them in its spec, the labels' own key is the map.
    labels = _at("spec.labelsToApply")(place, value) if place.is_v3 else value
    return [f"{name}={text}" for name, text in labels.items()] if isinstance(labels, dict) else None


def _setting(place: Place, value: Any) -> Any:
    if place.is_v3:
        selector = _at("spec.nodeSelector")(place, value)
        return f"nodes: {selector}" if selector else None
    return [f"{name}={text}" for name, text in value.items()] if isinstance(value, dict) else value


def _count(field: str) -> Cell:
    def read(_: Place, value: Any) -> Any:
        found = value.get(field) if isinstance(value, dict) else None
        return len(found) if isinstance(found, list) else 0

    return read


def _used(_: Place, value: Any) -> Any:
    allocations = value.get("allocations") if isinstance(value, dict) else None
    return sum(each is not None for each in allocations) if isinstance(allocations, list) else 0


_NAME_ONLY: Final = ("NAME",)

_LAYOUTS: Final[Mapping[str, Layout]] = {
    WORKLOADS: Layout(
        ("WORKLOAD", "NODE", "NETWORKS", "INTERFACE"),
        ("NAME", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE", "PROFILES", "NATS"),
        {
            "NAME": lambda place, _: v3_name(place.node, place.orchestrator, place.name, place.endpoint),
            "WORKLOAD": _name,
            "NODE": _node,
            "NETWORKS": _joined("ipv4_nets", "ipv6_nets"),
            "INTERFACE": _at("name"),
            "PROFILES": _joined("profile_ids"),
            "NATS": _nats,
        },
    ),
    "hostendpoint": Layout(
        ("NAME", "NODE"),
        ("NAME", "NODE", "INTERFACE", "IPS", "PROFILES"),
        {
            "NAME": _name,
            "NODE": _node,
            "INTERFACE": _at("name"),
            "IPS": _joined("expected_ipv4_addrs", "expected_ipv6_addrs"),
            "PROFILES": _joined("profile_ids"),
        },
    ),
    "policy": Layout(
        ("NAME", "TIER"),
        ("NAME", "TIER", "ORDER", "SELECTOR"),
        {"NAME": _name, "TIER": _at("tier"), "ORDER": _at("order"), "SELECTOR": _at("selector")},
    ),
    "tier": Layout(
        ("NAME", "ORDER"),
        ("NAME", "ORDER", "DEFAULTACTION"),
        {"NAME": _name, "ORDER": _at("order"), "DEFAULTACTION": _at("defaultAction")},
    ),
    "profile": Layout(_NAME_ONLY, ("NAME", "LABELS"), {"NAME": _name, "LABELS": _labels}),
    "networkset": Layout(_NAME_ONLY, ("NAME", "NETS"), {"NAME": _name, "NETS": _nets}),
    "ippool": Layout(
        ("NAME", "CIDR"),
        ("NAME", "CIDR", "NAT", "IPIPMODE", "VXLANMODE", "DISABLED", "DISABLEBGPEXPORT"),
        {
            "NAME": _name,
            "CIDR": _at("cidr"),
            "NAT": _at("masquerade"),
            "IPIPMODE": _mode("ipip_mode"),
            "VXLANMODE": _mode("vxlan_mode"),
            "DISABLED": _at("disabled"),
            "DISABLEBGPEXPORT": _at("disableBGPExport"),
        },
    ),
    "node": Layout(
        _NAME_ONLY,
        ("NAME", "ASN", "IPV4", "IPV6"),
        {
            "NAME": _name,
            "ASN": _at("spec.bgp.asNumber"),
            "IPV4": _at("spec.bgp.ipv4Address"),
            "IPV6": _at("spec.bgp.ipv6Address"),
        },
    ),
    "bgppeer": Layout(
        ("NAME", "PEERIP", "NODE", "ASN"),
        ("NAME", "PEERIP", "NODE", "ASN"),
        {"NAME": _name, "PEERIP": _at("spec.peerIP"), "NODE": _peer_nodes, "ASN": _at("spec.asNumber")},
    ),
    "bgpconfiguration": Layout(
        ("NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER"),
        ("NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER"),
        {
            "NAME": _name,
            "LOGSEVERITY": _at("spec.logSeverityScreen"),
            "MESHENABLED": _or_dash("spec.nodeToNodeMeshEnabled"),
            "ASNUMBER": _or_dash("spec.asNumber"),
        },
    ),
    "caliconodestatus": Layout(
        ("NAME", "NODE"),
        ("NAME", "NODE", "CLASSES", "LASTUPDATED"),
        {
            "NAME": _name,
            "NODE": _at("spec.node"),
            "CLASSES": _at("spec.classes"),
            "LASTUPDATED": _at("status.lastUpdated"),
        },
    ),
    "configuration": Layout(
        ("NAME", "FIELD", "VALUE"),
        ("NAME", "FIELD", "VALUE"),
        {"NAME": _name, "FIELD": lambda place, _: place.field, "VALUE": _setting},
    ),
    "ipamblock": Layout(
        ("NAME", "AFFINITY"),
        ("NAME", "AFFINITY", "USED", "FREE"),
        {"NAME": _name, "AFFINITY": _at("affinity"), "USED": _used, "FREE": _count("unallocated")},
    ),
    "blockaffinity": Layout(
        ("NAME", "NODE"),
        ("NAME", "NODE", "STATE"),
        {"NAME": _name, "NODE": _node, "STATE": _at("state")},
    ),
}

# calicoctl's columns before release 3, where a workload was NAMESPACE.POD.
_LEGACY: Final = Layout(
    ("HOSTNAME", "ORCHESTRATOR", "WORKLOAD", "NAME"),
    (),
    {
        "HOSTNAME": _node,
        "ORCHESTRATOR": lambda place, _: place.orchestrator,
        "WORKLOAD": lambda place, _: f"{place.namespace}.{place.name}" if place.namespace else place.name,
        "NAME": lambda place, _: place.endpoint,
    },
)


def tables_of(entries: Sequence[Item], *, wide: bool, every: bool) -> Tables:
    """One table for each kind among `entries`. `every`: all namespaces, named in the first column."""
    placed: dict[str, list[tuple[Place, Item]]] = {}
    others: list[Item] = []
    for entry in entries:
        place = place_of(entry.key)
        if place is None:
            others.append(entry)
        else:
            placed.setdefault(place.layout, []).append((place, entry))
    tables = []
    for kind, found in placed.items():
        if layout := _LAYOUTS.get(kind):
            rows = _folded(found) if kind == "profile" else found
            columns = layout.wide if wide else layout.columns
            tables.append(_table(columns, layout.cells, rows, with_namespace=every and is_namespaced(kind)))
        else:
            named = columns_of([_Plain(place, entry) for place, entry in found], wide=wide)
            tables.append(named._replace(keys=[entry.key for _, entry in found]))
    return Tables(tables, others)


def legacy_table(entries: Sequence[Item]) -> Table | None:
    """The columns of old calicoctl; None where an entry is no workload endpoint."""
    found = [(place_of(entry.key), entry) for entry in entries]
    places = [(place, entry) for place, entry in found if place is not None and place.layout == WORKLOADS]
    if len(places) != len(entries):
        return None
    return _table(_LEGACY.columns, _LEGACY.cells, places, with_namespace=False)


class _Plain:
    """An entry of a kind without columns of its own, under the name that its key has."""

    def __init__(self, place: Place, entry: Item) -> None:
        self.key = f"{place.namespace}/{place.name}" if place.namespace else place.name
        self.rv = entry.rv
        self.value = entry.value


def _folded(found: Iterable[tuple[Place, Item]]) -> list[tuple[Place, Item]]:
    """One entry a name: the whole object where it is there, the labels before the rules otherwise."""
    best: dict[str, tuple[Place, Item]] = {}
    for place, entry in found:
        held = best.get(place.name)
        if held is None or place.is_v3 or (not held[0].is_v3 and entry.key.endswith("/labels")):
            best[place.name] = (place, entry)
    return list(best.values())


def _table(
    columns: Sequence[str], cells: Mapping[str, Cell], found: list[tuple[Place, Item]], *, with_namespace: bool
) -> Table:
    found = sorted(found, key=lambda each: (each[0].namespace, each[0].name, each[0].node, each[0].field))
    rows = [
        [place.namespace] * with_namespace + [_text(cells[column](place, entry.value)) for column in columns]
        for place, entry in found
    ]
    headings = ["NAMESPACE"] * with_namespace + list(columns)
    return Table(headings, rows, [entry.key for _, entry in found])


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
