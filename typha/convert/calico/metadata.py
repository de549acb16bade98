"""The metadata of v3 objects: as Calico gives it to its agents, whatever the object was stored as.

Place: every converter that sends a whole v3 object decodes `metadata` into `Metadata` and sends what `restored` or
`of_kubernetes` makes of it, in a `v3_object`.

Invariants
1. Neither `resourceVersion` nor `managedFields` is ever in a value: an entry has its own version, and a write that
   changes nothing else must not be a change. Calico sends both (a deliberate difference).
2. Fields stand in the order of Kubernetes' ObjectMeta, maps in sorted order; what is zero is left out.
3. An object of `crd.projectcalico.org` has the UID of the custom resource with its bits turned around, and the metadata
   that its annotation `projectcalico.org/metadata` holds: there Calico's own API keeps what belongs to the v3 object.
   Labels and annotations of the annotation lie over those of the custom resource (which older versions wrote there),
   owners are v3 objects, namespace and UID are always the custom resource's.
   An object served as `projectcalico.org/v3` is the v3 object already.

Source: rules 4.8 (CRDs) and 4.9 (UIDs); libcalico-go `backend/k8s/resources`. An annotation that does not decode, and a
UID that is none, fail the object there; here it is quarantined.

Road not taken: handing metadata on as decoded JSON. An unknown field would then reach the agents, and equal objects
could differ in what an API server of another version adds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from typha.convert.calico.fields import Int64, canonical_time
from typha.convert.calico.text import uid
from typha.convert.converter import ConversionError

__all__ = [
    "API_VERSION",
    "CRD_GROUP",
    "Metadata",
    "OwnerReference",
    "checked",
    "is_label_value",
    "is_name",
    "is_qualified",
    "labels_of",
    "of_kubernetes",
    "restored",
    "sorted_map",
    "text_map",
    "unpacked",
    "v3_object",
]

CRD_GROUP: Final = "crd.projectcalico.org"
"""Objects of this group are custom resources that Calico's API hides behind v3 objects."""
API_VERSION: Final = "projectcalico.org/v3"
"""Of every v3 object, whichever group serves it."""

_ANNOTATION: Final = "projectcalico.org/metadata"
# Owners of the second kind are from before Calico turned UIDs around when it wrote them.
_CALICO_OWNERS: Final = ("crd.projectcalico.org/v1", API_VERSION)

# A DNS subdomain: Calico's `name`.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
# Kubernetes' rules for labels and annotations, which Calico's validation repeats.
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_NAME_LENGTH: Final = 253
_ANNOTATIONS_BYTES: Final = 256 * 1024


class OwnerReference(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True, rename="camel"):
    """One owner; the first four fields are always written."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Metadata(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True, rename="camel"):
    """ObjectMeta of Kubernetes without the two fields of invariant 1. Times are texts as the API server writes them."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    generation: Int64 = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: Int64 | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    finalizers: list[str] | None = None


class _Labelled(msgspec.Struct, frozen=True):
    labels: dict[str, str] | None = None


class _Value(msgspec.Struct, frozen=True):
    metadata: _Labelled = _Labelled()


_decode_labels: Final = msgspec.msgpack.Decoder(_Value).decode
_decode: Final = msgspec.json.Decoder(Metadata | None).decode
_decode_map: Final = msgspec.json.Decoder(dict[str, str | None] | None).decode


def restored(stored: Metadata, group: str) -> Metadata:
    """The v3 metadata of an object of one of Calico's two groups. Raises ConversionError."""
    if group != CRD_GROUP:
        return _settled(stored)
    identity = _reversed_uid(stored.uid, "metadata.uid") if stored.uid else ""
    kept, annotations = unpacked(stored, group)
    if kept is None:
        return _settled(msgspec.structs.replace(stored, uid=identity))
    where = f"annotation {_ANNOTATION}"
    owners = [
        msgspec.structs.replace(each, api_version=API_VERSION, uid=_reversed_uid(each.uid, f"{where}: ownerReferences"))
        if each.api_version in _CALICO_OWNERS
        else each
        for each in kept.owner_references or ()
    ]
    return _settled(
        msgspec.structs.replace(
            kept,
            name=kept.name or stored.name,
            namespace=stored.namespace,
            uid=identity,
            labels={**(stored.labels or {}), **(kept.labels or {})},
            annotations={**annotations, **(kept.annotations or {})},
            owner_references=owners,
            creation_timestamp=kept.creation_timestamp or stored.creation_timestamp,
        ),
        f"{where}: ",
    )


def unpacked(stored: Metadata, group: str) -> tuple[Metadata | None, dict[str, str]]:
    """What an annotation of a custom resource holds (None without it), and the other annotations.

    Raises ConversionError where it does not decode.
    """
    annotations = stored.annotations or {}
    text = annotations.get(_ANNOTATION) if group == CRD_GROUP else None
    if text is None:
        return None, annotations
    try:
        kept = _decode(text) or Metadata()
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConversionError(f"annotation {_ANNOTATION}: does not decode: {error}") from None
    return kept, {name: each for name, each in annotations.items() if name != _ANNOTATION}


def v3_object(kind: str, metadata: Metadata, spec: object) -> dict[str, Any]:
    """A whole v3 object as it is sent, without a status."""
    return {"kind": kind, "apiVersion": API_VERSION, "metadata": metadata, "spec": spec}


def of_kubernetes(
    stored: Metadata, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> Metadata:
    """The metadata of a v3 object that Calico makes from a Kubernetes object: identity and age, and what is given."""
    return Metadata(
        name=stored.name,
        namespace=stored.namespace,
        uid=stored.uid,
        creation_timestamp=stored.creation_timestamp,
        labels=sorted_map(labels),
        annotations=sorted_map(annotations),
    )


def text_map(text: str) -> dict[str, str]:
    """A JSON map of texts, as annotations of nodes hold labels and annotations. ValueError where it is none."""
    try:
        texts: dict[str, str | None] | None = _decode_map(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ValueError("not a JSON map of texts") from None
    return {name: each or "" for name, each in (texts or {}).items()}  # null is "" for Go


def sorted_map(texts: Mapping[str, str] | None) -> dict[str, str] | None:
    """In Go's order; None for an empty map, which Go's encoder leaves out."""
    if not texts:
        return None
    return dict(sorted(texts.items()))


def checked(metadata: Metadata) -> Metadata:
    """The same metadata, if Calico's validation lets it through. Raises ConversionError.

    Custom resources are checked by the API server; labels and annotations that come out of annotations by nobody else.
    """
    if not is_name(metadata.name):
        raise ConversionError("metadata.name: not a DNS subdomain")
    size = 0
    for name, value in (metadata.annotations or {}).items():
        if not is_qualified(name.lower()):
            raise ConversionError("metadata.annotations: a name is not a qualified name")
        size += len(name.encode()) + len(value.encode())
    if size > _ANNOTATIONS_BYTES:
        raise ConversionError("metadata.annotations: more than 256 KiB")
    for name, value in (metadata.labels or {}).items():
        if not is_qualified(name):
            raise ConversionError("metadata.labels: a name is not a qualified name")
        if not is_label_value(value):
            raise ConversionError("metadata.labels: a value is not one that labels may have")
    return metadata


def is_name(text: str) -> bool:
    """Whether objects can be called so: a DNS subdomain."""
    return len(text) <= _NAME_LENGTH and _NAME.fullmatch(text) is not None


def is_qualified(name: str) -> bool:
    """Whether a label can be called so: Kubernetes' IsQualifiedName."""
    prefix, slash, rest = name.rpartition("/")
    if slash and not is_name(prefix):
        return False
    return _QUALIFIED.fullmatch(rest) is not None


def is_label_value(text: str) -> bool:
    """Kubernetes' IsValidLabelValue; empty is good."""
    return _LABEL_VALUE.fullmatch(text) is not None


def labels_of(value: bytes) -> Mapping[str, str]:
    """The labels in a v3 object's value, for filters."""
    return _decode_labels(value).metadata.labels or {}


def _reversed_uid(text: str, where: str) -> str:
    try:
        return uid.reverse(text)
    except ValueError:
        raise ConversionError(f"{where}: a UID is not a UUID") from None


def _settled(metadata: Metadata, where: str = "") -> Metadata:
    """Empty lists and maps left out, times canonical."""
    return msgspec.structs.replace(
        metadata,
        creation_timestamp=canonical_time(metadata.creation_timestamp or None, f"{where}creationTimestamp"),
        deletion_timestamp=canonical_time(metadata.deletion_timestamp or None, f"{where}deletionTimestamp"),
        labels=sorted_map(metadata.labels),
        annotations=sorted_map(metadata.annotations),
        owner_references=metadata.owner_references or None,
        finalizers=metadata.finalizers or None,
    )
