"""Conversions of one 1.6 KB pod a second, in this process: no I/O, no cache."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Final

from bench.processes import POD_FIELDS
from bench.report import Result, say
from typha.convert.passthrough import Passthrough
from typha.simulation.cluster import Cluster
from typha.simulation.store import Store

QUESTION: Final = "what does the conversion of one pod cost?"
_PODS: Final = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--seconds."""
    parser.add_argument("--seconds", type=float, help="for each converter (default 3; quick 0.5)")


def run(options: argparse.Namespace) -> Result:
    """Chosen fields, with and without a filter attribute, and the whole object."""
    seconds = options.seconds or (0.5 if options.quick else 3.0)
    store = Store()
    Cluster(store, nodes=10, pods=_PODS).populate()
    prefix = b'{"kind":"Pod","apiVersion":"v1",'
    objects = [(row.key, prefix + row.tail) for row in store.list_page("v1/pods").rows]
    mean_bytes = sum(len(raw) for _, raw in objects) / len(objects)
    result = Result("convert", {"seconds": seconds, "pods": _PODS, "mean_json_bytes": round(mean_bytes)})
    for name, converter in (
        ("chosen fields", Passthrough("Pod", "v1", POD_FIELDS)),
        ("chosen fields and one filter", Passthrough("Pod", "v1", POD_FIELDS, {"node": "spec.nodeName"})),
        ("whole object", Passthrough("Pod", "v1")),
    ):
        say(f"convert: {name}")
        rate = _rate(converter.convert, objects, seconds)
        size = sum(len(converter.convert(*each)[0].value) for each in objects) / len(objects)
        result.add(f"{name}: conversions", rate, "1/s")
        result.add(f"{name}: each", 1e6 / rate, "us")
        result.add(f"{name}: value", size, "B")
    return result


def _rate(convert: Callable[[str, bytes], object], objects: list[tuple[str, bytes]], seconds: float) -> float:
    rounds, began_at, cpu_began_at = 0, time.monotonic(), time.process_time()
    while time.monotonic() - began_at < seconds:
        for name, raw in objects:
            convert(name, raw)
        rounds += 1
    return rounds * len(objects) / (time.process_time() - cpu_began_at)
