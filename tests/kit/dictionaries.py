"""Real zstd dictionaries for frames like those of ``truth``, under any id."""

from __future__ import annotations

from functools import cache

from tests.kit.truth import CONVERTERS, Body
from typha.wire.compression import Dictionary, train
from typha.wire.entries import encode_delete, encode_entries, encode_put
from typha.wire.frames import HEADER


@cache
def _content() -> bytes:
    samples = []
    for rv in range(300):
        name, body = f"p{rv % 5}", Body(rv % 2, f"n{rv % 3}", ("x", "y"))
        for topic_id, convert in enumerate(CONVERTERS.values()):
            puts = [encode_put(key, rv, value) for key, value, _ in convert(name, body) or ()]
            samples.append(encode_entries(topic_id, rv, puts, [encode_delete(name, rv)] * (rv % 2))[HEADER.size :])
    trained = train(samples, 512, 1)
    assert trained is not None
    return trained.content


def dictionary(number: int) -> Dictionary:
    """Always the same content, but for its id."""
    content = _content()
    return Dictionary(content[:4] + number.to_bytes(4, "little") + content[8:])
