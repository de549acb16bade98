"""The manifests of deploy/overlays/calico-typha, as ``kubectl apply -k`` sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.rendering import Manifest, kustomized

__all__ = ["OVERLAY", "Manifest", "container", "environment", "find", "kustomization", "load"]

OVERLAY: Final = Path(__file__).parents[2] / "deploy" / "overlays" / "calico-typha"


def kustomization() -> dict[str, Any]:
    """The file that lists the others."""
    found: dict[str, Any] = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text())
    return found


def load() -> list[Manifest]:
    """All of them, rendered."""
    return kustomized("overlays/calico-typha")


def find(kind: str) -> Manifest:
    """The one manifest of that kind."""
    (found,) = (manifest for manifest in load() if manifest["kind"] == kind)
    return found


def container() -> dict[str, Any]:
    """The Deployment's one container."""
    (only,) = find("Deployment")["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def environment() -> dict[str, str]:
    """The container's variables."""
    return {each["name"]: each["value"] for each in container()["env"]}
