"""Cases onto a real API server and off it again.

Invariants
1. Nodes and namespaces come first: the API server copies topology labels from a node to its pods. A namespace that no
   document holds is made; a node that none holds is not (a pod's node need not exist).
2. Status goes through the subresource where the kind has one, as a kubelet or a controller writes it.
3. `remove` leaves the cluster as it was before `apply`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Final

from tests.controlplane.admin_rest import CONFLICT, CRDS, NOT_FOUND, wait_until
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.rest import ApiStatusError
from tests.corpus.crds import crds
from tests.corpus.documents import Case, CorpusError
from tests.corpus.resources import CALICO_CRD, Json

FINALIZER: Final = "example.com/corpus"
# The samples' Services have addresses in 10.0.0.0/24.
SERVICE_RANGE_FLAG: Final = "--service-cluster-ip-range=10.0.0.0/16"
_FIRST: Final = ("v1/namespaces", "v1/nodes")
# Always there: a case edits them.
_SYSTEM_NAMESPACES: Final = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_TOO_MANY_REQUESTS: Final = 429
# A new CRD answers 404, then 429 to writes, for up to 2 s.
_CRD_TIMEOUT_S: Final = 30.0


class Cluster:
    """What this run has put onto one control plane."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.rest = control_plane.rest
        self._applied: list[Case] = []
        # Those that no document holds.
        self.made_namespaces: list[str] = []

    def create_crds(self, calico_group: str = CALICO_CRD) -> None:
        """All kinds that Kubernetes lacks; returns when every one is served."""
        served = {each["metadata"]["name"] for each in self.rest.list(CRDS)["items"]}
        definitions = [each for each in crds(calico_group) if each["metadata"]["name"] not in served]
        for each in definitions:
            self.rest.create(CRDS, each)
        for each in definitions:
            spec = each["spec"]
            resource = f"{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
            wait_until(f"{resource} is served", lambda resource=resource: self.rest.is_served(resource))  # type: ignore[misc]

    def apply(self, cases: Sequence[Case]) -> None:
        """Creates the objects of all servable cases. Raises CorpusError with the server's answer."""
        servable = [case for case in cases if not case.is_unservable]
        held = {case.name for case in servable if case.kind.resource == "v1/namespaces"}
        for name in sorted({case.name.split("/")[0] for case in servable if case.kind.namespaced} - held):
            if not self.rest.exists("v1/namespaces", name):
                self.rest.create_namespace(name)
                self.made_namespaces.append(name)
        for case in sorted(servable, key=lambda case: case.kind.resource not in _FIRST):
            self._applied.append(case)
            try:
                self._create(case)
            except ApiStatusError as error:
                raise CorpusError(
                    f"{case.kind.kind} {case.name}: the API server refuses it: {error}. What to do: correct the"
                    " document, or add `x-unservable: true` where no API server would take it"
                ) from None

    def served(self, case: Case) -> Json:
        """The object as the API server has it now."""
        namespace, _, name = case.name.rpartition("/")
        return self.rest.get(case.kind.resource, name, namespace or None)

    def remove(self) -> None:
        """Deletes everything that was applied, finalizers or not."""
        for case in reversed(self._applied):
            self._delete(case)
        for name in self.made_namespaces:
            self.rest.delete_namespace(name)
        self._applied.clear()
        self.made_namespaces.clear()

    def _create(self, case: Case) -> None:
        body = copy.deepcopy(case.written)
        namespace, _, name = case.name.rpartition("/")
        status = body.pop("status", None) if case.kind.status else None
        if case.is_deleted:
            body["metadata"].setdefault("finalizers", []).append(FINALIZER)
        deadline = time.monotonic() + _CRD_TIMEOUT_S
        while True:
            try:
                self.rest.create(case.kind.resource, body, namespace or None)
                break
            except ApiStatusError as error:
                if error.code == CONFLICT and case.kind.resource == "v1/namespaces":
                    self.rest.patch("v1/namespaces", name, {"metadata": body["metadata"]})
                    break
                if error.code != _TOO_MANY_REQUESTS or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        if status is not None:
            self.rest.patch_status(case.kind.resource, name, status, namespace or None)
        if case.is_deleted:
            self.rest.delete(case.kind.resource, name, namespace or None, grace_s=None)

    def _delete(self, case: Case) -> None:
        namespace, _, name = case.name.rpartition("/")
        resource = case.kind.resource
        try:
            held = self.rest.get(resource, name, namespace or None)
            if held["metadata"].get("finalizers"):
                self.rest.patch(resource, name, {"metadata": {"finalizers": None}}, namespace or None)
            if resource != "v1/namespaces":
                self.rest.delete(resource, name, namespace or None)
            elif name not in _SYSTEM_NAMESPACES:
                self.rest.delete_namespace(name)
        except ApiStatusError as error:
            if error.code != NOT_FOUND:
                raise
