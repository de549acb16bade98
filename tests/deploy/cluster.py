"""Manifests on a real API server: what operators do, by the same kubectl.

Invariants
1. `applied` leaves nothing behind: what it created is deleted, the namespace last.
2. Kinds of other projects (the Prometheus operator, cert-manager, Calico) are definitions with an open schema: their
   own texts are theirs. What they hold is checked elsewhere (promtool, for rules).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import kubernetes_validate

from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.credentials import User
from tests.deploy.generated import NAMESPACE
from tests.deploy.rendering import KUBECTL, Manifest, every, pod_of

OLDEST: Final = "1.29"
NEWEST: Final = "1.37"
"""Kubernetes' releases between which the manifests are valid; the oldest is the chart's `kubeVersion`."""

FOREIGN: Final = (
    ("monitoring.coreos.com", "podmonitors", "PodMonitor", "Namespaced", "v1"),
    ("monitoring.coreos.com", "prometheusrules", "PrometheusRule", "Namespaced", "v1"),
    ("cert-manager.io", "issuers", "Issuer", "Namespaced", "v1"),
    ("cert-manager.io", "certificates", "Certificate", "Namespaced", "v1"),
    ("crd.projectcalico.org", "ippools", "IPPool", "Cluster", "v1"),
)
RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}


def problems_of(manifests: Sequence[Manifest], release: str) -> list[str]:
    """What Kubernetes' own JSON schemas of that release say against them; fields that they do not know are wrong."""
    groups = {group for group, *_ in FOREIGN}
    found = []
    for manifest in manifests:
        if manifest["apiVersion"].split("/")[0] in groups:
            continue
        try:
            kubernetes_validate.validate(manifest, release, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            where = f"{manifest['kind']} {manifest['metadata']['name']}"
            found.append(f"{release}: {where}: {error}".splitlines()[0])
    return found


class Cluster:
    """A running control plane with the foreign kinds defined, for `with`."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self._environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig)}

    def __enter__(self) -> Cluster:
        for group, plural, kind, scope, version in FOREIGN:
            self.control_plane.rest.create_crd(group, plural, kind, scope, version)
        return self

    def __exit__(self, *_: object) -> None:
        for group, plural, *_rest in FOREIGN:
            self.control_plane.rest.delete_crd(group, plural)

    def kubectl(self, *arguments: str, manifests: Sequence[Manifest] = ()) -> str:
        """Standard output. Raises AssertionError with what kubectl said."""
        done = subprocess.run(
            [KUBECTL, *arguments],
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifests: Sequence[Manifest], *, dry_run: bool) -> list[str]:
        """`kubectl apply --server-side`; the names of what was (or would have been) applied. Unknown fields fail."""
        options = ["--server-side", "--validate=strict", "-o", "name", "-f", "-"]
        if dry_run:
            options.insert(0, "--dry-run=server")
        return self.kubectl("apply", *options, manifests=manifests).split()

    def kubeconfig_of(self, account: str) -> Path:
        """A kubeconfig of a ServiceAccount that was applied, with a token for an hour."""
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        answer = self.control_plane.rest.request("POST", path, body={"spec": {"expirationSeconds": 3600}})
        user = User(f"system:serviceaccount:{NAMESPACE}:{account}", token=answer["status"]["token"])
        return self.control_plane.write_kubeconfig(user)

    @contextmanager
    def namespace(self, manifests: Sequence[Manifest]) -> Iterator[None]:
        """The namespace that they are for, as they declare it, or (a chart declares none) as its operator would."""
        declared = every(manifests, "Namespace")
        host_network = bool(every(manifests, "Deployment")) and pod_of(manifests).get("hostNetwork", False)
        labels = {} if host_network else RESTRICTED
        self.apply(declared or [_namespace(labels)], dry_run=False)
        try:
            yield
        finally:
            self.control_plane.rest.delete_namespace(NAMESPACE)

    @contextmanager
    def applied(self, manifests: Sequence[Manifest]) -> Iterator[list[str]]:
        """All of them, first as a dry run; the names of what was applied."""
        with self.namespace(manifests):
            self.apply(manifests, dry_run=True)
            try:
                yield self.apply(manifests, dry_run=False)
            finally:
                rest = [manifest for manifest in manifests if manifest["kind"] != "Namespace"]
                self.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", manifests=rest)

    def admit_pod(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        """What the Deployment's (or DaemonSet's) controller would create, through all admission; nothing stays."""
        (workload,) = every(manifests, "Deployment") + every(manifests, "DaemonSet")
        pod = workload["spec"]["template"]
        body = {"metadata": pod["metadata"] | {"name": "typha-0"}, "spec": pod["spec"]}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        return self.control_plane.rest.request(
            "POST", path, query={"dryRun": "All", "fieldValidation": "Strict"}, body=body
        )


def _namespace(labels: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def resource_path(manifest: Manifest) -> str:
    """The path that a manifest of that kind is posted to."""
    plural = {"NetworkPolicy": "networkpolicies"}.get(manifest["kind"], manifest["kind"].lower() + "s")
    version, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
