"""Objects as a real API server serves them, made the same at every recording.

What the server draws or measures is replaced: the UID follows from kind and name, times are fixed, resourceVersion is
the document's number, managedFields go. Everything else stays as served: defaults, generation, copied labels.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.controlplane.controlplane import ControlPlane
from tests.corpus.cluster import SERVICE_RANGE_FLAG, Cluster
from tests.corpus.documents import Case, CorpusError, read_cases, served_path, write_lines
from tests.corpus.resources import CALICO_V3, Json

CREATED: Final = "2026-01-02T03:04:05Z"
DELETED: Final = "2026-01-02T03:14:15Z"
# UUIDs of version 5 below this one.
_UIDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.com/corpus")


def record(paths: Sequence[Path], say: Callable[[str], None]) -> None:
    """Writes NAME.served.jsonl of each file; each file has the cluster for itself. Raises CorpusError."""
    cases = {path: read_cases(path) for path in paths}
    with ControlPlane(SERVICE_RANGE_FLAG) as control_plane:
        cluster = Cluster(control_plane)
        # Both groups, which no cluster of Calico's has: the server treats them as kinds that have nothing in common.
        cluster.create_crds()
        cluster.create_crds(CALICO_V3)
        for path, its_cases in cases.items():
            try:
                cluster.apply(its_cases)
                served = [served_case(cluster, case, number) for number, case in enumerate(its_cases, 1)]
            except CorpusError as error:
                raise CorpusError(f"{path.parent.name}/{path.name}: {error}") from None
            finally:
                cluster.remove()
            write_lines(served_path(path), served)
            say(f"{path.parent.name}/{served_path(path).name}: {len(served)} objects")


def served_case(cluster: Cluster, case: Case, number: int) -> Json:
    """The case as the API server serves it (as written where it is unservable), normalised. Raises CorpusError."""
    if case.is_unservable:
        served = {**case.written, "metadata": {**case.written["metadata"]}}
        served["metadata"].setdefault("generation", 1)
        if case.is_deleted:
            served["metadata"]["deletionTimestamp"] = DELETED
    else:
        served = cluster.served(case)
        _check_drawn(case, served)
    return normalised(served, number)


def normalised(served: Json, number: int) -> Json:
    """With everything that differs from server to server replaced."""
    metadata = {**served["metadata"], "uid": stable_uid(served), "resourceVersion": str(number)}
    metadata["creationTimestamp"] = CREATED
    metadata.pop("managedFields", None)
    if "deletionTimestamp" in metadata:
        metadata["deletionTimestamp"] = DELETED
    return {**served, "metadata": metadata}


def stable_uid(served: Json) -> str:
    """A UID that follows from apiVersion, kind, namespace and name."""
    metadata = served["metadata"]
    parts = (served["apiVersion"], served["kind"], metadata.get("namespace", ""), metadata["name"])
    return str(uuid.uuid5(_UIDS, "/".join(parts)))


def _check_drawn(case: Case, served: Json) -> None:
    """Addresses and ports that the server draws at random make every recording another one."""
    if case.kind.resource != "v1/services":
        return
    written, spec = case.written.get("spec", {}), served["spec"]
    drawn = [name for name in ("clusterIP", "healthCheckNodePort") if name in spec and name not in written]
    for index, port in enumerate(spec.get("ports", [])):
        if "nodePort" in port and "nodePort" not in written["ports"][index]:
            drawn.append(f"ports[{index}].nodePort")
    if drawn:
        raise CorpusError(
            f"Service {case.name}: the API server draws spec.{drawn[0]}. What to do: write it into the document"
            " (clusterIP in 10.0.0.0/16, or None)"
        )
