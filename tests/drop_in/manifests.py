"""The manifests of deploy/overlays/calico-typha, read as ``kubectl apply -k`` would send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

OVERLAY: Final = Path(__file__).parents[2] / "deploy" / "overlays" / "calico-typha"
Manifest = dict[str, Any]


def kustomization() -> dict[str, Any]:
    """The file that lists the others."""
    found: dict[str, Any] = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text())
    return found


def load() -> list[Manifest]:
    """Every listed file, with the images that the kustomization names."""
    manifests: list[Manifest] = [yaml.safe_load((OVERLAY / name).read_text()) for name in kustomization()["resources"]]
    for manifest in manifests:
        for container in manifest["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            for image in kustomization()["images"]:
                if container["image"].rpartition(":")[0] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return manifests


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
