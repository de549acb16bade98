"""``python -m bench plots``: the stored results as pictures in docs/plots, SVG for the pages and PNG for elsewhere.

1. A title says the finding, computed from the figures that are drawn.
2. The same results give the same bytes: no date, no random ids.
3. A plot whose results are not there is not drawn, and said so; nothing is drawn of short runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from bench.goal_rows import NATIVE_ZSTD, PER_CPU_S, TYPHA_RECORDED, deliveries
from bench.goals import Document, stored_documents
from bench.report import number, say, slope

QUESTION: Final = "what do the stored results look like?"
PLOTS: Final = Path(__file__).parent.parent / "docs" / "plots"
_INCHES: Final = (7.0, 4.0)
# Colours that stay apart for colour-blind readers and in print (Okabe and Ito).
_BLUE, _SKY, _ORANGE, _GREEN, _GREY = "#0072b2", "#56b4e9", "#d55e00", "#009e73", "#777777"
_SERIES_COLOURS: Final = (_BLUE, _ORANGE, _GREEN)
_STYLE: Final[Any] = {
    "svg.hashsalt": "typha",
    "svg.fonttype": "path",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


class NoFigures(LookupError):  # noqa: N818 - nothing went wrong: the bench was not run
    """What the plot shows was not measured; the message names it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace) -> int:
    """0, whatever could be drawn."""
    for path in draw({document["bench"]: document for document in stored_documents()}, PLOTS):
        say(f"plots: {path}")
    return 0


def draw(documents: Mapping[str, Document], folder: Path) -> list[Path]:
    """Every plot that these results give; the files written."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second, for this command alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, plot in DRAWN.items():
        with mpl.rc_context(_STYLE):
            figure, axes = plt.subplots(figsize=_INCHES, layout="constrained")
            try:
                plot(axes, documents)
            except NoFigures as why:
                say(f"plots: {name} is not drawn: {why}")
            else:
                svg, png = folder / f"{name}.svg", folder / f"{name}.png"
                figure.savefig(svg, metadata={"Date": None})
                figure.savefig(png, dpi=120, metadata={"Software": None})
                written += [svg, png]
            plt.close(figure)
    return written


# --- what is drawn


def _latency(axes: Any, documents: Mapping[str, Document]) -> None:
    document = _document(documents, "fan_out")
    points = _series(document, "latency_ms_by_share")
    parameters = document["parameters"]
    # Nines: 0.9 is at 1, 0.99 at 2. The last point is the slowest delivery of all.
    shares = [share for share, _ in points]
    late_ms = [late for _, late in points]
    axes.plot(late_ms, [1 - share for share in shares], color=_BLUE, linewidth=2)
    axes.set_yscale("log")
    axes.invert_yaxis()
    axes.set_yticks([0.5, 0.1, 0.01, 0.001], ["50 %", "90 %", "99 %", "99.9 %"])
    axes.minorticks_off()
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds from before the write to the API server until the agent has read it")
    axes.set_ylabel("of deliveries have arrived")
    p99 = next(late for share, late in points if share >= 0.99)
    axes.plot([p99], [0.01], "o", color=_BLUE)
    axes.annotate(f"{p99:.0f} ms", (p99, 0.01), textcoords="offset points", xytext=(10, -14), color=_BLUE)
    agents, rate = parameters["agents"], parameters["rate"]
    axes.set_title(f"{agents:,} agents, {rate:,.0f} changes/s: 99 % arrive within {p99:.0f} ms")


def _agents(axes: Any, documents: Mapping[str, Document]) -> None:
    document = _document(documents, "growth")
    named = {name: points for name, points in document["series"].items() if name.startswith("cpu_percent_at_")}
    if not named:
        raise NoFigures("growth over agents")
    lines = [(float(name.rsplit("_", 1)[1]), points) for name, points in named.items()]
    for colour, (rate, points) in zip(_SERIES_COLOURS, sorted(lines), strict=False):
        axes.plot(*zip(*points, strict=True), "o-", color=colour, linewidth=2)
        x, y = points[-1]
        axes.annotate(f"{rate:g} changes/s", (x, y), textcoords="offset points", xytext=(10, -4), color=colour)
    axes.set_xlim(0, 1.2 * max(point[0] for _, points in lines for point in points))
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("agents")
    axes.set_ylabel("server's CPU, % of a core")
    per_send, pause = _figure(document, "a send costs"), document["parameters"]["round_pause_ms"]
    axes.set_title(f"CPU grows straight with agents: {per_send:.1f} µs a send (rounds of {pause:g} ms)")


def _objects(axes: Any, documents: Mapping[str, Document]) -> None:
    points = _series(_document(documents, "growth"), "memory_mb_over_objects")
    each = slope(points) * 1e6
    axes.plot(*zip(*points, strict=True), "o-", color=_BLUE, linewidth=2)
    for x, y in points[1:]:
        axes.annotate(f"{y:.0f} MB", (x, y), textcoords="offset points", xytext=(0, 9), ha="right", color=_BLUE)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0, top=1.12 * max(y for _, y in points))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("pods")
    axes.set_ylabel("memory of the whole process, MB")
    axes.set_title(f"A pod costs {each:.0f} bytes of memory")


def _restarts(axes: Any, documents: Mapping[str, Document]) -> None:
    document = _document(documents, "resume")
    sent = [[number, size / 1e3] for number, size in _series(document, "sent_to_each")]
    whole = [[number, size / 1e3] for number, size in _series(document, "a_snapshot_instead")]
    for points, colour, style, name in (
        (whole, _GREY, "o--", "a compressed snapshot each time"),
        (sent, _BLUE, "o-", "what was sent to each agent"),
    ):
        axes.plot(*zip(*points, strict=True), style, color=colour, linewidth=2)
        axes.annotate(
            f"{name}: {number(points[0][1])} KB",
            (points[0][0], points[0][1]),
            textcoords="offset points",
            xytext=(0, 8),
            color=colour,
        )
    axes.set_yscale("log")
    # Room for the labels.
    axes.set_ylim(sent[0][1] / 3, whole[0][1] * 3)
    axes.set_xticks([place for place, _ in sent])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    parameters = document["parameters"]
    axes.set_xlabel(
        f"restarts of the only server; at each {parameters['changed']} of {parameters['pods']:,} pods change and"
        f" {parameters['deleted']} go"
    )
    axes.set_ylabel("KB to each returning agent")
    share = 100 * max(size for _, size in sent) / whole[0][1]
    axes.set_title(f"A restart resends what changed: {number(share)} % of a compressed snapshot")


def _shares(axes: Any, documents: Mapping[str, Document]) -> None:
    document = _document(documents, "send_share")
    count = max(document["parameters"]["sockets"])
    kinds = list(document["parameters"]["kinds"])
    names = [
        name
        for name in ("C", "uvloop", "asyncio")
        if _has(document, f"{name}, {count} sockets, {kinds[0]}: CPU of a send")
    ]
    if "C" not in names:
        raise NoFigures("the C loop")
    for place, (name, colour) in enumerate(zip(names, (_GREY, _BLUE, _ORANGE), strict=False)):
        values = [_figure(document, f"{name}, {count} sockets, {kind}: CPU of a send") for kind in kinds]
        spots = [kind * (len(names) + 1) + place for kind in range(len(kinds))]
        axes.bar(spots, values, color=colour, width=0.9, label="C send() loop" if name == "C" else f"typha on {name}")
        for spot, value in zip(spots, values, strict=True):
            axes.annotate(f"{value:.1f}", (spot, value), textcoords="offset points", xytext=(0, 3), ha="center")
    axes.set_xticks(
        [kind * (len(names) + 1) + (len(names) - 1) / 2 for kind in range(len(kinds))],
        [{"single": "one delta of 450 B", "coalesced": "50 deltas joined, 22 KB"}.get(kind, kind) for kind in kinds],
    )
    axes.legend(loc="upper left")
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])
    axes.set_ylabel("CPU of a send, µs")
    shares = [_figure(document, f"{names[1]}, {count} sockets, {kind}: share of the C loop") for kind in kinds]
    axes.set_title(
        f"{count:,} sockets: {', '.join(f'{share:.2f}' for share in shares)} of a C send() loop on {names[1]}"
    )


def _peers(axes: Any, documents: Mapping[str, Document]) -> None:
    document, pause_ms = _document(documents, "deliveries"), 100
    shapes = [shape for shape in TYPHA_RECORDED if _has(document, deliveries("native", *shape, pause_ms, PER_CPU_S))]
    if not shapes:
        raise NoFigures(f"deliveries at {pause_ms} ms")
    theirs, recorded = "Calico's Typha", True
    ours = {"typha, plain": "native", "typha, zstd": NATIVE_ZSTD}
    bars: dict[str, list[float]] = {**{name: [] for name in ours}, "NATS, the better way": [], theirs: []}
    for shape in shapes:
        for name, who in ours.items():
            bars[name].append(_figure(document, deliveries(who, *shape, pause_ms, PER_CPU_S)))
        pattern = deliveries("nats*", *shape, pause_ms, PER_CPU_S)
        of_nats = [each["value"] for each in document["figures"] if fnmatchcase(each["name"], pattern)]
        bars["NATS, the better way"].append(max(of_nats, default=0.0))
        ran = deliveries("typha-go", *shape, pause_ms, PER_CPU_S)
        recorded = recorded and not _has(document, ran)
        bars[theirs].append(_figure(document, ran) if _has(document, ran) else TYPHA_RECORDED[shape].value)
    for place, ((name, values), colour) in enumerate(zip(bars.items(), (_BLUE, _SKY, _ORANGE, _GREY), strict=True)):
        spots = [number * (len(bars) + 1) + place for number in range(len(shapes))]
        label = f"{name}, recorded" if name == theirs and recorded else name
        axes.bar(spots, [value / 1e6 for value in values], color=colour, width=0.9, label=label)
        for spot, value in zip(spots, values, strict=True):
            shown = f"{value / 1e6:.2g}" if value else "not run"
            axes.annotate(shown, (spot, value / 1e6), textcoords="offset points", xytext=(0, 3), ha="center")
    axes.set_xticks(
        [number * (len(bars) + 1) + (len(bars) - 1) / 2 for number in range(len(shapes))],
        [f"{agents:,} agents\n{rate:,} changes/s" for agents, rate in shapes],
    )
    axes.legend(loc="upper left")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    axes.set_ylabel("deliveries per CPU-second, millions")
    ratios = [ours / other for ours, other in zip(bars["typha, plain"], bars[theirs], strict=True)]
    axes.set_title(
        f"Plain, a CPU-second delivers {min(ratios):.0f} to {max(ratios):.0f} times what Calico's Typha delivers"
    )


DRAWN: Final[Mapping[str, Callable[[Any, Mapping[str, Document]], None]]] = {
    "deliveries": _peers,
    "latency": _latency,
    "agents": _agents,
    "objects": _objects,
    "restarts": _restarts,
    "send-share": _shares,
}


# --- figures by name


def _document(documents: Mapping[str, Document], bench: str) -> Document:
    if bench not in documents:
        raise NoFigures(f"no result of {bench}")
    return documents[bench]


def _has(document: Document, name: str) -> bool:
    return any(each["name"] == name for each in document["figures"])


def _figure(document: Document, name: str) -> float:
    for each in document["figures"]:
        if each["name"] == name:
            return float(each["value"])
    raise NoFigures(f"{document['bench']} has no figure {name!r}")


def _series(document: Document, name: str) -> list[list[float]]:
    points: list[list[float]] | None = document["series"].get(name)
    if not points:
        raise NoFigures(f"{document['bench']} has no series {name!r}")
    return points
