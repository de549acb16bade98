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

from typing import NamedTuple

from typha.convert.calico.metadata import Metadata, unpacked

__all__ = ["Identity", "identity_of"]


class Identity(NamedTuple):
    """`stored_name` is empty where the annotation holds none. Labels are None where there is no map of them."""

    stored_name: str
    labels: dict[str, str] | None
    annotations: dict[str, str]


def identity_of(metadata: Metadata, group: str) -> Identity:
    """What the v3 object of one of Calico's two groups is called and labelled. Raises ConversionError."""
    kept, annotations = unpacked(metadata, group)
    if kept is None:
        return Identity("", _sorted(metadata.labels), annotations)
    labels = metadata.labels
    if kept.labels:
        labels = {**(labels or {}), **kept.labels}
    return Identity(kept.name, _sorted(labels), {**annotations, **(kept.annotations or {})})


def _sorted(labels: dict[str, str] | None) -> dict[str, str] | None:
    return None if labels is None else dict(sorted(labels.items()))
