"""Calico's key paths. Source: libcalico-go `backend/model`, default paths.

Names inside a path are escaped as Calico does: `%` is `%25`, `/` is `%2f`. CIDRs are written with `-` for `/`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["escape", "host_config", "policy", "v3"]

_V3: Final = "/calico/resources/v3/projectcalico.org"


def escape(name: str) -> str:
    """A name as one part of a path."""
    return name.replace("%", "%25").replace("/", "%2f")


def v3(plural: str, object_name: str) -> str:
    """The key of a whole v3 object; `object_name` is `namespace/name` or `name`."""
    return f"{_V3}/{plural}/{object_name}"


def policy(kind: str, namespace: str, name: str) -> str:
    """The key of a v1 policy; `namespace` is empty for global kinds."""
    return f"/calico/v1/policy/{kind}/{namespace}/{name}"


def host_config(node: str, field: str) -> str:
    """The key of one configuration field of one node."""
    return f"/calico/v1/host/{node}/config/{field}"
