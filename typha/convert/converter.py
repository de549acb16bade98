"""What every converter is: the one shape in which an object leaves Kubernetes' world for ours.

Place: called by `upstream.ingest` for each listed and watched object; what it returns goes straight into a topic.

Invariants
1. A result is a function of the object and the converter's settings alone: two replicas that see one object hold
   the same bytes, whether it came from a list (without `kind` and `apiVersion`) or from a watch.
2. Two converters with one `form` give the same result for every object.
3. An object that cannot be converted raises `ConversionError` and nothing else.

Road not taken: returning objects for the topic to encode; encoding is a third of the work and belongs where the
decoded form is at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

__all__ = ["NO_VALUE", "Attribute", "ConversionError", "Converted", "Converter", "form_of"]

# A text, a map of labels, None where the object has no such field, or how to read labels from the value when a filter
# asks (a map for each of 100,000 entries would cost as much as the values).
Attribute = str | Mapping[str, str] | Callable[[bytes], Mapping[str, str]] | None

NO_VALUE: Final = b""
"""The value of a key that the object could have and does not have now."""


class Converted(NamedTuple):
    """One entry: `value` is msgpack (or NO_VALUE), `attributes` stand in the order of `Converter.attributes`."""

    key: str
    value: bytes
    attributes: tuple[Attribute, ...] = ()


class ConversionError(Exception):
    """This object cannot be converted; `reason` is for the status page and names the field, never its content.

    `keys` are those that the object could have, where they follow from the object and not from its name.
    """

    def __init__(self, reason: str, keys: Sequence[str] = ()) -> None:
        self.reason = reason
        self.keys = tuple(keys)
        super().__init__(reason)


class Converter(Protocol):
    """One topic's way to look at one resource."""

    @property
    def form(self) -> str:
        """A hash of all that can change keys, values, attributes or the selection of objects."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the declared filter attributes."""

    @property
    def standing(self) -> Sequence[Converted]:
        """Entries that are always there and come from no object."""

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """The entries of the object `namespace/name` (or `name`) given as JSON; none where the topic leaves it out.

        Raises ConversionError.
        """


def form_of(**settings: Any) -> str:
    """A short stable name of `settings` (JSON-like values; tuples count as lists)."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    # 64 bits: forms are compared with a handful of others, against accident only.
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
