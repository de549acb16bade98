"""Structure-aware mutation: one place of a value is replaced, removed, repeated or lied about. Pure.

``is_surely_malformed_*`` say what a receiver must refuse; they know the documented shapes only, not the codec. What
they do not call malformed may be either, and is sent without being counted.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgpack

from tests.robustness.packing import Pairs, Raw, pack

Path = tuple[Any, ...]


def mutate(value: Any, random: Random) -> bytes:
    """msgpack of the value with one to three mutations, or of it damaged as bytes."""
    if random.random() < 0.15:
        return damage(pack(value), random)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(value))
        value = _change(value, random.choice(places), random)
    return pack(value)


def damage(encoded: bytes, random: Random) -> bytes:
    """Bytes flipped, cut, doubled or followed by others."""
    place = random.randrange(len(encoded))
    match random.randrange(5):
        case 0:
            return encoded[:place]
        case 1:
            return encoded + random.randbytes(random.randint(1, 20))
        case 2:
            return encoded[:place] + encoded[place + 1 :]
        case 3:
            return encoded[:place] + random.randbytes(random.randint(1, 8)) + encoded[place:]
        case _:
            return encoded[:place] + bytes([encoded[place] ^ 1 << random.randrange(8)]) + encoded[place + 1 :]


def odd_value(random: Random) -> Any:
    """Something that seldom belongs anywhere."""
    return random.choice(
        (
            None,
            True,
            0,
            -1,
            -(2**63),
            2**63,
            2**64 - 1,
            1.5,
            float("nan"),
            float("inf"),
            "",
            "\x00",
            "x" * random.choice((513, 5000, 30000)),
            "\ud800",
            b"",
            b"\xff" * 40,
            [],
            [[]] * 20,
            {},
            {"a": {"b": {}}},
            Pairs(((1, 2), (None, 3))),
            Raw(b"\xc1"),  # never used in msgpack
            Raw(b"\xa4\xff\xfe\xfd\xfc"),  # a string that is no UTF-8
            Raw(b"\xdd\xff\xff\xff\xff"),  # an array of 4 Gi items
            Raw(b"\xdf\xff\xff\xff\xff"),  # a map of 4 Gi pairs
            Raw(b"\xdb\xff\xff\xff\xff"),  # a string of 4 GiB
            Raw(b"\xc6\x7f\xff\xff\xff"),  # 2 GiB of bytes
            Raw(b"\xc9\x00\x00\xff\xff\x05"),  # an extension
            Raw(b"\xd6\xff\x00\x00\x00\x00"),  # a timestamp
            Raw(b"\x91" * random.choice((40, 600, 5000)) + b"\xc0"),  # nested arrays
            Raw(b"\x81\xa1a" * random.choice((40, 600, 5000)) + b"\xc0"),  # nested maps
            Raw(b"\xdc\x04\x00" * 20 + b"\xc0"),  # arrays of 1,024 in arrays of 1,024
        )
    )


def _places(value: Any, path: Path = ()) -> list[Path]:
    found = [path]
    if isinstance(value, dict):
        for key, item in value.items():
            found += _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _places(item, (*path, index))
    return found


def _change(value: Any, path: Path, random: Random) -> Any:
    if not path:
        return _change_here(value, random)
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        if not rest and random.random() < 0.25:
            return {key: item for key, item in value.items() if key != first}
        return {key: _change(item, rest, random) if key == first else item for key, item in value.items()}
    if isinstance(value, list):
        if not rest and random.random() < 0.25:
            return value[:first] + value[first + 1 :]
        return [_change(item, rest, random) if index == first else item for index, item in enumerate(value)]
    return value


def _change_here(value: Any, random: Random) -> Any:
    if isinstance(value, list) and value and random.random() < 0.3:
        return value * random.choice((2, 50, 700))
    if isinstance(value, dict) and random.random() < 0.3:
        return Pairs((*value.items(), *value.items(), (odd_value(random), odd_value(random))))
    if isinstance(value, int) and random.random() < 0.3:
        return random.choice((max(-value - 1, -(2**63)), value + 0.5, str(value), 2**64 - 1))
    return odd_value(random)


def is_surely_malformed_hello(payload: bytes) -> bool:
    """Whether no receiver may take this for a Hello (protocol, section 2)."""
    try:
        hello = msgpack.unpackb(payload, strict_map_key=False)
    except Exception:  # noqa: BLE001 - msgpack raises many things, and all mean that it is no value
        return True
    if not isinstance(hello, dict) or not isinstance(hello.get("subscribe"), dict):
        return True
    protocol, subscribe, resume = hello.get("protocol"), hello["subscribe"], hello.get("resume")
    return (
        not (isinstance(protocol, list) and len(protocol) == 2 and all(type(each) is int for each in protocol))
        or not isinstance(hello.get("node"), str)
        or not isinstance(hello.get("agent"), str)
        or not isinstance(subscribe.get("topics", []), list)
        or not all(isinstance(topic, str) for topic in subscribe.get("topics", []))
        or not isinstance(subscribe.get("feed", None), str | None)
        or not isinstance(subscribe.get("where", {}), dict)
        or not isinstance(resume, dict | None)
        or (resume is not None and not isinstance(resume.get("cluster"), str))
    )


def is_surely_malformed_frame(payload: bytes, *, is_map: bool) -> bool:
    """The same of Ping, Pong and Close (maps with ``t`` or ``code``), and of KeyRequest (an array of 3)."""
    try:
        value = msgpack.unpackb(payload, strict_map_key=False)
    except Exception:  # noqa: BLE001 - as above
        return True
    if is_map:
        return not isinstance(value, dict) or not (type(value.get("t")) is int or isinstance(value.get("code"), str))
    return not (isinstance(value, list) and len(value) == 3 and type(value[0]) is int and type(value[1]) is int)
