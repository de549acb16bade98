"""Objects that tests create beside pods, and the topics that show them."""

from __future__ import annotations

from typing import Any

from tests.controlplane.admin_rest import AdminRest
from tests.e2e.truth import Json

PODS, SERVICES, CONFIG_MAPS = "v1/pods", "v1/services", "v1/configmaps"
SLICES = "discovery.k8s.io/v1/endpointslices"
POD_FIELDS = ["metadata.labels", "spec.nodeName", "status.podIP", "status.phase"]


def pods_topic(namespace: str | None = None) -> Json:
    """Chosen fields of pods, filtered by node, namespace and labels."""
    filters = {"node": "spec.nodeName", "namespace": "metadata.namespace", "labels": "metadata.labels"}
    topic: Json = {"resource": PODS, "fields": POD_FIELDS, "filters": filters}
    return topic if namespace is None else topic | {"namespace": namespace}


def on_node(node: str) -> dict[str, Any]:
    """What an agent asks for that wants the pods of one node only, and how such values look."""
    return {
        "where": {"pods": {"node": node}},
        "shows": {"pods": lambda value: value.get("spec", {}).get("nodeName") == node},
    }


def create_service(rest: AdminRest, namespace: str, name: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "named", "port": 81, "targetPort": "admin"}]
    return rest.create(
        SERVICES, {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}, namespace
    )


def create_slice(rest: AdminRest, namespace: str, name: str, *addresses: str) -> Json:
    body = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}, "nodeName": "n1"} for each in addresses],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    return rest.create(SLICES, body, namespace)


def create_config_map(rest: AdminRest, namespace: str, name: str, **values: str) -> Json:
    return rest.create(CONFIG_MAPS, {"metadata": {"name": name}, "data": values}, namespace)


def create_cert(rest: AdminRest, resource: str, namespace: str, name: str, **spec: Any) -> Json:
    """An object of a CRD with an open schema; the version is the resource's."""
    group, version, _ = resource.split("/")
    body = {"apiVersion": f"{group}/{version}", "kind": "Cert", "metadata": {"name": name}, "spec": spec}
    return rest.create(resource, body, namespace)


def relabel(rest: AdminRest, namespace: str, pod: str, **labels: str | None) -> Json:
    return rest.patch(PODS, pod, {"metadata": {"labels": labels}}, namespace)
