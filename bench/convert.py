"""Conversions a second of one 1.6 KB pod, and of each kind of the built-in feeds, in this process: no I/O, no cache."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Final

from bench.processes import POD_FIELDS
from bench.report import Result, say
from typha.convert.passthrough import Passthrough
from typha.feeds.calico import calico_feeds
from typha.simulation.calico.resources import CALICO
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.store import Store
from typha.upstream.resources import Resource

QUESTION: Final = "what does the conversion of one object cost, of each kind?"
_PODS: Final = 500
# A promise: the list of 100,000 pods costs 4 core-seconds at most.
ENDPOINTS_PER_S: Final = 25_000.0
_ENDPOINTS: Final = "workloadendpoints"
# The other kinds change a thousand times less: a figure to know.
_SHORT: Final = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--seconds."""
    parser.add_argument("--seconds", type=float, help="for each converter (default 3; quick 0.5)")


def run(options: argparse.Namespace) -> Result:
    """Chosen fields, with and without a filter attribute, the whole object; then every built-in topic."""
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
    _add_calico(result, seconds)
    return result


def _add_calico(result: Result, seconds: float) -> None:
    store = Store(resources=(*BUILT_IN, *CALICO))
    Cluster(store, nodes=10, pods=_PODS, calico=True).populate()
    served = {(each.group, each.plural): each for each in store.resources()}
    for spec in calico_feeds().topics.values():
        name = spec.source.resource
        found = served[name.group, name.plural]
        converter = spec.make_converter(
            Resource(found.group, found.version, found.plural, found.kind, found.namespaced)
        )
        table = store.table(found.name)
        objects = [(key, table.prefix + row.tail) for key, row in table.objects.items()]
        is_hot = spec.name == _ENDPOINTS
        say(f"convert: {spec.name}")
        rate = _rate(converter.convert, objects, seconds if is_hot else seconds * _SHORT)
        if is_hot:
            # Pods without a node have no endpoint, finished ones an empty one.
            values = [entry.value for each in objects for entry in converter.convert(*each) if entry.value]
            size = sum(map(len, values)) / len(values)
            result.add(f"{spec.name}: conversions", rate, "1/s", at_least=ENDPOINTS_PER_S)
            result.add(f"{spec.name}: value", size, "B")
        result.add(f"{spec.name}: each", 1e6 / rate, "us")


def _rate(convert: Callable[[str, bytes], object], objects: list[tuple[str, bytes]], seconds: float) -> float:
    rounds, began_at, cpu_began_at = 0, time.monotonic(), time.process_time()
    while not rounds or time.monotonic() - began_at < seconds:
        for name, raw in objects:
            convert(name, raw)
        rounds += 1
    return rounds * len(objects) / (time.process_time() - cpu_began_at)
