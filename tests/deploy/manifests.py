"""The manifests of deploy/base, read as `kubectl apply -k` would send them, in the order of kustomization.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

BASE: Final = Path(__file__).parents[2] / "deploy" / "base"
Manifest = dict[str, Any]


def load() -> list[Manifest]:
    """Every document of every listed file."""
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [document for name in listed for document in yaml.safe_load_all((BASE / name).read_text())]


def find(kind: str) -> Manifest:
    """The one manifest of that kind."""
    (found,) = (manifest for manifest in load() if manifest["kind"] == kind)
    return found


def configuration_text() -> str:
    """The configuration file in the ConfigMap."""
    text: str = find("ConfigMap")["data"]["typha.yaml"]
    return text


def container() -> dict[str, Any]:
    """The Deployment's one container."""
    (only,) = find("Deployment")["spec"]["template"]["spec"]["containers"]
    spec: dict[str, Any] = only
    return spec


def resource_path(manifest: Manifest) -> str:
    """The path that a manifest of that kind is posted to."""
    plural = {"NetworkPolicy": "networkpolicies"}.get(manifest["kind"], manifest["kind"].lower() + "s")
    version, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
