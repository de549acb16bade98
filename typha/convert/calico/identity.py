"""Name, labels and annotations of a Calico object as its v3 API shows them: what v1 keys and values take of metadata.

Place: the converters of policies, sets and host endpoints, whose values hold no metadata, decode `Metadata` and read it
here. Whole v3 objects go through `metadata.restored`.

Invariants (source: libcalico-go `backend/k8s/resources`, what Calico's API writes and reads back)
1. Objects of `projectcalico.org` are v3 objects: nothing is restored.
2. In `crd.projectcalico.org` the annotation `projectcalico.org/metadata` holds what Calico's API was given; its labels
   and annotations win over those of the custom resource. One that does not decode fails the object, as in Calico.
3. Policies alone keep a name in it: `default.web` can be the custom resource of the policy `web`. The name of a custom
   resource without that annotation stays as it is, prefix included.

Road not taken: taking `default.` off every name. A policy may be called so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from typha.convert.calico.metadata import CRD_GROUP, Metadata
from typha.convert.converter import ConversionError

__all__ = ["Identity", "identity_of"]

ANNOTATION: Final = "projectcalico.org/metadata"

_decode: Final = msgspec.json.Decoder(Metadata | None).decode


class Identity(NamedTuple):
    """`stored_name` is empty where the annotation holds none. Labels are None where there is no map of them."""

    stored_name: str
    labels: dict[str, str] | None
    annotations: dict[str, str]


def identity_of(metadata: Metadata, group: str) -> Identity:
    """What the v3 object of one of Calico's two groups is called and labelled. Raises ConversionError."""
    annotations = metadata.annotations or {}
    text = annotations.get(ANNOTATION) if group == CRD_GROUP else None
    if text is None:
        return Identity("", _sorted(metadata.labels), annotations)
    try:
        kept = _decode(text) or Metadata()
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConversionError(f"annotation {ANNOTATION}: does not decode: {error}") from None
    labels = metadata.labels
    if kept.labels:
        labels = {**(labels or {}), **kept.labels}
    others = {name: each for name, each in annotations.items() if name != ANNOTATION}
    return Identity(kept.name, _sorted(labels), {**others, **(kept.annotations or {})})


def _sorted(labels: dict[str, str] | None) -> dict[str, str] | None:
    return None if labels is None else dict(sorted(labels.items()))
