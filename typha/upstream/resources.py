"""Names of resources: as operators write them, and as discovery has found them.

Place: `feeds` parses what is in the configuration into a `ResourceName`; `discovery` turns it into a `Resource`.

Invariants
1. A `Source` names exactly one watch: equal sources share one reflector, however many topics they feed.
2. `Resource.path` is the request path; nothing else puts one together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

__all__ = ["Resource", "ResourceName", "Source", "parse_resource_name"]

# Kubernetes' own form of versions (apimachinery `pkg/version`): v1, v1beta1, v2alpha3.
_VERSION: Final = re.compile(r"v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?")
_GROUP: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_PLURAL: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ResourceName:
    """`[group/][version/]plural`; group "" is the core group, version None is left to discovery.

    `otherwise`: the name under which servers serve the same resource that do not serve it under this one.
    """

    group: str
    version: str | None
    plural: str
    otherwise: ResourceName | None = None

    @property
    def is_secret(self) -> bool:
        """Whether these are Kubernetes' Secrets, whose values nobody but their agents should see."""
        return self.group == "" and self.plural == "secrets"

    def __str__(self) -> str:
        return "/".join(part for part in (self.group, self.version, self.plural) if part)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that the API server serves."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """As in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """The collection's request path, in one namespace or (as "") in all."""
        root = f"/apis/{self.group}" if self.group else "/api"
        scope = f"/namespaces/{quote(namespace)}" if namespace else ""
        return f"{root}/{self.version}{scope}/{self.plural}"


@dataclass(frozen=True, slots=True)
class Source:
    """What one reflector lists and watches."""

    resource: ResourceName
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""

    def __str__(self) -> str:
        narrowed = {
            "namespace": self.namespace,
            "labelSelector": self.label_selector,
            "fieldSelector": self.field_selector,
        }
        return " ".join([str(self.resource), *(f"{name}={value}" for name, value in narrowed.items() if value)])


def parse_resource_name(text: str) -> ResourceName:
    """`v1/pods`, `pods`, `apps/deployments`, `example.com/v1/certs`. ValueError says what is allowed."""
    *qualifiers, plural = text.split("/")
    if len(qualifiers) > 2:
        raise ValueError("has more than three parts")
    version: str | None = None
    # One qualifier is a version where it looks like one: no API group is named like v1.
    if len(qualifiers) == 2 or (qualifiers and _VERSION.fullmatch(qualifiers[0])):
        version = qualifiers.pop()
        if not _VERSION.fullmatch(version):
            raise ValueError(f"{version!r} is not a version such as v1 or v1beta1")
    group = qualifiers[0] if qualifiers else ""
    if qualifiers and not _GROUP.fullmatch(group):
        raise ValueError(f"{group!r} is not an API group such as apps or example.com")
    if not _PLURAL.fullmatch(plural):
        raise ValueError(f"{plural!r} is not a resource's plural name in lower case, such as pods")
    return ResourceName(group, version, plural)
