"""The corpus on a real API server: which cases can live together, and what `typha dump` should show of them.

Invariants
1. Expectations are the corpus' lines. What a real server draws (UIDs, times) is put in place of what the corpus has.
2. Of lines that no file has, only those of the cluster's own objects (there before) and of namespaces made for the
   cases are tolerated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.controlplane.rest import Rest
from tests.corpus.cluster import Cluster
from tests.corpus.documents import (
    Case,
    lines_path,
    read_cases,
    read_lines,
    served_path,
    uses_pod_cidr,
    yaml_files,
)
from tests.corpus.holding import held_lines
from tests.corpus.recording import CREATED, DELETED, stable_uid
from tests.corpus.resources import Json
from typha.convert.calico.text.uid import reverse

_UID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Held = dict[tuple[str, str], Any]
"""(topic, key) -> value."""


@dataclass
class Batch:
    """Files whose objects, keys, nodes and addresses do not meet."""

    use_pod_cidr: bool
    files: list[str] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    lines: list[Json] = field(default_factory=list)
    taken: set[tuple[str, ...]] = field(default_factory=set)
    used: set[tuple[str, ...]] = field(default_factory=set)

    def expected(self, topics: Sequence[str]) -> Held:
        """What these topics hold of the batch."""
        found = [each for each in self.lines if each["topic"] in topics and "key" in each]
        return {(each["topic"], each["key"]): each["value"] for each in found}

    def quarantined(self, topics: Sequence[str]) -> set[tuple[str, str, str]]:
        """Topic, object and reason."""
        found = [each for each in self.lines if each["topic"] in topics and "object" in each]
        return {(each["topic"], each["object"], each["quarantined"]) for each in found}


def batches(other_group: str) -> list[Batch]:
    """The whole corpus but for objects of `other_group` and those that no API server takes."""
    made: list[Batch] = []
    for path in yaml_files():
        cases, lines = _servable(path, other_group)
        taken = set(_taken(cases)) | {("key", line["topic"], line["key"]) for line in lines if "key" in line}
        used = set(_used_nodes(cases))
        fitting = (
            each
            for each in made
            if each.use_pod_cidr == uses_pod_cidr(path)
            and not (each.taken & taken or each.taken & used or each.used & taken)
        )
        batch = next(fitting, None)
        if batch is None:
            batch = Batch(uses_pod_cidr(path))
            made.append(batch)
        batch.files.append(f"{path.parent.name}/{path.stem}")
        batch.cases += cases
        batch.lines += lines
        batch.taken |= taken
        batch.used |= used
    return [batch for batch in made if batch.cases]


def _servable(path: Path, other_group: str) -> tuple[list[Case], list[Json]]:
    """Cases for this cluster, and their lines: the file's without those that other objects alone give."""
    cases, served = read_cases(path), read_lines(served_path(path))
    here = [not case.is_unservable and case.kind.group != other_group for case in cases]
    mine = [each for each, is_here in zip(served, here, strict=True) if is_here]
    names = {_line_name(line) for line in held_lines(mine, use_pod_cidr=uses_pod_cidr(path))}
    lines = [line for line in read_lines(lines_path(path)) if _line_name(line) in names]
    return [case for case, is_here in zip(cases, here, strict=True) if is_here], lines


def _line_name(line: Json) -> tuple[str, str]:
    return line["topic"], line.get("key") or f"object {line['object']}"


def _taken(cases: Iterable[Case]) -> Iterable[tuple[str, ...]]:
    for case in cases:
        yield case.kind.resource, case.name
        spec = case.written.get("spec") or {}
        if case.kind.plural == "services":
            for name in ("clusterIP", "healthCheckNodePort"):
                if spec.get(name, "None") != "None":
                    yield name, str(spec[name])
            for port in spec.get("ports", []):
                if "nodePort" in port:
                    yield "nodePort", str(port["nodePort"])


def _used_nodes(cases: Iterable[Case]) -> Iterable[tuple[str, str]]:
    """Pods get labels of their node: it must not come from another file. Many files may use one that none has."""
    for case in cases:
        if case.kind.plural == "pods" and "nodeName" in case.written["spec"]:
            yield "v1/nodes", case.written["spec"]["nodeName"]


class Drawn(NamedTuple):
    """What a real server drew: UIDs (as they are and reversed) -> those of the corpus; times by field."""

    uids: dict[str, str]
    times: set[tuple[str, str]]


def drawn(rest: Rest, cases: Sequence[Case]) -> Drawn:
    """Of all objects of the cases' kinds."""
    found = Drawn({}, set())
    for kind in {case.kind for case in cases}:
        for item in rest.list(kind.resource)["items"]:
            metadata = item["metadata"]
            uid = stable_uid({**item, "apiVersion": kind.api_version, "kind": kind.kind})
            found.uids.update({metadata["uid"]: uid, reverse(metadata["uid"]): reverse(uid)})
            found.times.add(("creationTimestamp", metadata["creationTimestamp"]))
            found.times.add(("deletionTimestamp", metadata.get("deletionTimestamp", "")))
    return found


def dumped(lines: Sequence[Json], of_server: Drawn) -> Held:
    """Lines of `typha dump` as the corpus writes them."""
    text = _UID.sub(lambda found: of_server.uids.get(found[0], found[0]), json.dumps(lines))
    return {(line["topic"], line["key"]): _timeless(line["value"], of_server) for line in json.loads(text)}


def _timeless(value: Any, of_server: Drawn) -> Any:
    if isinstance(value, dict) and isinstance(value.get("metadata"), dict):
        metadata = value["metadata"]
        for name, time in (("creationTimestamp", CREATED), ("deletionTimestamp", DELETED)):
            if (name, metadata.get(name)) in of_server.times:
                metadata[name] = time
    return value


def wrong(found: Held, expected: Held, tolerated: set[tuple[str, str]]) -> str:
    """The differences in a few lines; "" where there are none."""
    texts = [f"missing: {name}" for name in sorted(expected.keys() - found.keys())]
    texts += [f"too many: {name}" for name in sorted(found.keys() - expected.keys() - tolerated)]
    for name in sorted(expected.keys() & found.keys()):
        is_, should = (json.dumps(each[name], sort_keys=True) for each in (found, expected))
        if is_ != should:
            texts.append(f"{name}\n  is        {is_}\n  should be {should}")
    return "\n".join(texts[:10])


def keys_of_made_namespaces(cluster: Cluster) -> set[tuple[str, str]]:
    """Keys of namespaces that no case asked for."""
    profile, rules = "/calico/resources/v3/projectcalico.org/profiles/kns.{}", "/calico/v1/policy/profile/kns.{}/rules"
    paths = (profile, rules, "/calico/v1/policy/profile/kns.{}/labels")
    return {("profiles.namespaces", path.format(name)) for name in cluster.made_namespaces for path in paths}


def wrongly_quarantined(status: Json, expected: set[tuple[str, str, str]]) -> str:
    """What differs on the status page, which lists 100 objects a topic; "" where nothing does."""
    for topic in status["topics"]:
        wanted = {each for each in expected if each[0] == topic["name"]}
        listed = {(topic["name"], name, reason) for name, _, reason in topic["quarantined"]}
        if listed - wanted or topic["quarantined_count"] != len(wanted):
            return f"quarantined in {topic['name']}: {sorted(listed ^ wanted)[:5]}"
    return ""
