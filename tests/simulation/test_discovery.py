"""Discovery: names of resources and the documents that list them."""

from __future__ import annotations

from typha.simulation import discovery
from typha.simulation.discovery import BUILT_IN, Resource

PODS = next(each for each in BUILT_IN if each.plural == "pods")
SLICES = next(each for each in BUILT_IN if each.plural == "endpointslices")


def test_names() -> None:
    assert (PODS.name, PODS.api_version, PODS.qualified) == ("v1/pods", "v1", "pods")
    assert SLICES.name == "discovery.k8s.io/v1/endpointslices"
    assert SLICES.qualified == "endpointslices.discovery.k8s.io"


def test_documents() -> None:
    versions = [Resource("example.com", version, "certs", "Cert") for version in ("v1", "v2")]
    found = discovery.group(versions, "example.com")
    assert found is not None
    assert [each["version"] for each in found["versions"]] == ["v1", "v2"]
    assert discovery.group(versions, "") is None
    assert discovery.resource_list(versions, "example.com", "v3") is None
    groups = discovery.group_list(BUILT_IN)["groups"]
    assert [each["name"] for each in groups] == ["discovery.k8s.io", "networking.k8s.io"]
