"""What tests do to a cluster as its administrator: namespaces, pods, CRDs, rights; all in effect on return.

Invariants
1. Nothing here stands in for a controller beyond what is said: a pod is what the test makes of it.
2. Rights are one ClusterRole and one binding for each (user, resource), so that each can be taken away by itself.

Road not taken: YAML manifests. A test reads better with the three values that matter to it.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from tests.controlplane.credentials import User
from tests.controlplane.rest import ApiStatusError, Json, Rest
from tests.controlplane.server_process import POLL_INTERVAL_S, ControlPlaneError

CONFLICT, NOT_FOUND = 409, 404
READ_VERBS = ("get", "list", "watch")
# A CRD is served after 0.2-2 s; RBAC's informers follow within 0.1 s; the rest is room for a busy machine.
EFFECT_TIMEOUT_S = 30.0
CRDS = "apiextensions.k8s.io/v1/customresourcedefinitions"
CLUSTER_ROLES = "rbac.authorization.k8s.io/v1/clusterroles"
CLUSTER_ROLE_BINDINGS = "rbac.authorization.k8s.io/v1/clusterrolebindings"
ACCESS_REVIEWS = "authorization.k8s.io/v1/subjectaccessreviews"


class AdminRest(Rest):
    """`Rest` with the verbs of the tests' language."""

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> Json:
        return self.create("v1/namespaces", {"metadata": {"name": name, "labels": dict(labels or {})}})

    def delete_namespace(self, name: str) -> None:
        """Removes the Namespace by finalizing it. Objects in it stay (no controller runs): delete them before."""
        self.delete("v1/namespaces", name, grace_s=None)
        namespace = self.get("v1/namespaces", name)
        namespace["spec"] = {"finalizers": []}
        self.request("PUT", f"/api/v1/namespaces/{name}/finalize", body=namespace)

    def create_node(self, name: str, labels: Mapping[str, str] | None = None) -> Json:
        return self.create("v1/nodes", {"metadata": {"name": name, "labels": dict(labels or {})}})

    def create_pod(
        self,
        namespace: str,
        name: str,
        node: str,
        ip: str | None = None,
        labels: Mapping[str, str] | None = None,
        phase: str = "Running",
    ) -> Json:
        """A pod that is on `node` (which need not exist), its status written as a kubelet does; the final object."""
        body = {
            "metadata": {"name": name, "labels": dict(labels or {})},
            "spec": {"nodeName": node, "containers": [{"name": "main", "image": "example.invalid/main"}]},
        }
        self.create("v1/pods", body, namespace)
        return self.set_pod_status(namespace, name, phase=phase, ip=ip)

    def set_pod_status(self, namespace: str, name: str, *, phase: str, ip: str | None = None) -> Json:
        """Phase and, where given, the IP; an IP once set stays until it is replaced."""
        status: Json = {"phase": phase}
        if ip is not None:
            status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
        return self.patch_status("v1/pods", name, status, namespace)

    def create_crd(
        self,
        group: str,
        plural: str,
        kind: str,
        scope: str = "Namespaced",
        version: str = "v1",
        *,
        wait_served: bool = True,
    ) -> str:
        """A CRD with an open schema; its resource string, once a list answers 200 (at first 404, then 429)."""
        open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        body = {
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": scope,
                "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
                "versions": [
                    {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": open_schema}}
                ],
            },
        }
        self.create(CRDS, body)
        resource = f"{group}/{version}/{plural}"
        if wait_served:
            wait_until(f"{resource} is served", lambda: self.is_served(resource))
        return resource

    def delete_crd(self, group: str, plural: str) -> None:
        """Deletes the CRD with all its objects and waits until it has gone (its finalizer runs in the API server)."""
        name = f"{plural}.{group}"
        self.delete(CRDS, name, grace_s=None)
        wait_until(f"CRD {name} has gone", lambda: not self.exists(CRDS, name))

    def is_served(self, resource: str) -> bool:
        try:
            self.list(resource, limit=1)
        except ApiStatusError:
            return False
        return True

    def exists(self, resource: str, name: str, namespace: str | None = None) -> bool:
        try:
            self.get(resource, name, namespace)
        except ApiStatusError as error:
            if error.code == NOT_FOUND:
                return False
            raise
        return True

    def allow(self, user: User, *resources: str, verbs: Sequence[str] = READ_VERBS) -> None:
        """Grants cluster-wide rights and waits until this API server applies them. A second grant replaces verbs."""
        for resource in resources:
            name, group, plural = _role(user, resource)
            rule = {"apiGroups": [group], "resources": [plural], "verbs": list(verbs)}
            self._create_or_replace(CLUSTER_ROLES, {"metadata": {"name": name}, "rules": [rule]})
            binding = {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name}],
            }
            self._create_or_replace(CLUSTER_ROLE_BINDINGS, binding)
        for resource in resources:
            for verb in verbs:
                self._wait_allowed(user, resource, verb, wanted=True)

    def forbid(self, user: User, *resources: str) -> None:
        """Takes back what `allow` gave and waits until this API server refuses.

        Watches that are open go on: Kubernetes authorizes a request at its start only.
        """
        for resource in resources:
            name, _, _ = _role(user, resource)
            for kind in (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES):
                if self.exists(kind, name):
                    self.delete(kind, name)
        for resource in resources:
            for verb in READ_VERBS:
                self._wait_allowed(user, resource, verb, wanted=False)

    def is_allowed(self, user: User, resource: str, verb: str) -> bool:
        """What this API server's authorizer says now (SubjectAccessReview)."""
        _, group, plural = _role(user, resource)
        review = {
            "spec": {
                "user": user.name,
                "groups": [*user.groups, "system:authenticated"],
                "resourceAttributes": {"group": group, "resource": plural, "verb": verb},
            }
        }
        return bool(self.create(ACCESS_REVIEWS, review)["status"]["allowed"])

    def create_service_account(self, namespace: str, name: str) -> User:
        """A ServiceAccount and a token for it, valid for an hour (TokenRequest API)."""
        self.create("v1/serviceaccounts", {"metadata": {"name": name}}, namespace)
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        answer = self.request("POST", path, body={"spec": {"expirationSeconds": 3600}})
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return User(f"system:serviceaccount:{namespace}:{name}", groups, token=answer["status"]["token"])

    def _wait_allowed(self, user: User, resource: str, verb: str, *, wanted: bool) -> None:
        what = f"{user.name} {'may' if wanted else 'may not'} {verb} {resource}"
        wait_until(what, lambda: self.is_allowed(user, resource, verb) is wanted)

    def _create_or_replace(self, resource: str, body: Json) -> None:
        try:
            self.create(resource, body)
        except ApiStatusError as error:
            if error.code != CONFLICT:
                raise
            self.replace(resource, body["metadata"]["name"], body)


def wait_until(what: str, condition: Callable[[], bool], timeout_s: float = EFFECT_TIMEOUT_S) -> None:
    """Polls until the condition holds. Raises ControlPlaneError that names `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise ControlPlaneError(f"waited {timeout_s:g} s in vain until {what}")
        time.sleep(POLL_INTERVAL_S)


def _role(user: User, resource: str) -> tuple[str, str, str]:
    """Role name, API group and plural. A resource is `[group/]version/plural`."""
    *group, _version, plural = resource.split("/")
    return f"test:{user.name}:{plural}.{group[0] if group else 'core'}", group[0] if group else "", plural
