"""Names that Calico's IPAM gives to its custom resources, and what follows from them.

An object called so is the only one that can have its key; under any other name two objects could claim one key, and
the topic must reckon with it (`may_be_contested` of `typha.cache.topic.Topic`).

Source: libcalico-go `names.CIDRToName`: the CIDR with `-` for `.`, `:` and `/`; an affinity's name has its host before.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["affinity_may_be_contested", "block_may_be_contested"]

_MARKS: Final = re.compile("[.:]")


def block_may_be_contested(object_name: str, key: str) -> bool:
    """Of a block's key `/calico/ipam/v2/assignment/ipv4/block/CIDR`."""
    return object_name != _name_of(key)


def affinity_may_be_contested(object_name: str, key: str) -> bool:
    """Of an affinity's key `/calico/ipam/v2/host/HOST/ipv4/block/CIDR` (or `virtual` for `host`)."""
    return object_name != f"{key.split('/')[5]}-{_name_of(key)}"


def _name_of(key: str) -> str:
    return _MARKS.sub("-", key.rpartition("/")[2])
