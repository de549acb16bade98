"""What values a setting can take: one small class per kind, which reads a value, names what is allowed, shows it.

1. ``read`` takes what YAML gave (str, int, float, bool, list, dict, None) or, for flags and environment, a str; with
   ``text`` True a str is parsed as the kind, with ``text`` False a wrong YAML type is an error: ``page_size: "500"``
   is a mistake in a file and the only way to write it in the environment.
2. ``allowed`` says in words what ``read`` accepts; errors and documentation use the same words.

Not taken: pydantic. Its errors know no file and line, its coercions are too friendly, and it is 5 MB for 40 settings.
"""

from __future__ import annotations

import ipaddress
import math
from pathlib import Path
from typing import NamedTuple, Protocol

MAX_PORT = 65535
UNIX = "unix:"
# sockaddr_un holds 108 bytes on Linux, 104 on other systems, with a zero at the end.
MAX_SOCKET_PATH = 103


class WrongValueError(Exception):
    """A value is not of its kind; the message says in what way."""


class HostPort(NamedTuple):
    """Where to listen. ``host`` is an IP literal or a name, without brackets; port 0 lets the system choose.

    A socket of this machine is the host ``unix:/path`` with port 0.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if self.is_socket:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_socket(self) -> bool:
        """True for ``unix:/path``."""
        return self.host.startswith(UNIX)

    @property
    def is_loopback(self) -> bool:
        """True where only this machine can reach it. Names other than ``localhost`` are taken for not loopback."""
        if self.is_socket:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """True for every address of the machine: 0.0.0.0, [::], and no host (which Typha's parameters can have)."""
        try:
            return not self.host or ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def shares_host_with(self, other: HostPort) -> bool:
        """True where both are of one host as it is written, or one is of every address."""
        return self.host == other.host or self.is_wildcard or other.is_wildcard


class Kind(Protocol):
    """A kind of setting."""

    @property
    def allowed(self) -> str:
        """What ``read`` accepts, in words."""

    def read(self, raw: object, *, text: bool) -> object:
        """The value, or WrongValueError."""

    def show(self, value: object) -> object:
        """The value as YAML or JSON would write it."""


def type_name(raw: object) -> str:
    """A YAML value's type in the operator's words."""
    names = {bool: "true/false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}
    return "nothing" if raw is None else names.get(type(raw), type(raw).__name__)


def parse_host_port(raw: object) -> HostPort:
    """``127.0.0.1:5473``, ``[::1]:5473`` or ``name:5473``."""
    if not isinstance(raw, str):
        raise WrongValueError(f"is {type_name(raw)}, not an address")
    host, colon, port = raw.rpartition(":")
    if not colon:
        raise WrongValueError("has no port")
    if not host:
        raise WrongValueError(f"has no host; every address of this machine is written 0.0.0.0:{port}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise WrongValueError("has brackets around what is no IPv6 address")
    elif ":" in host:
        raise WrongValueError("has several colons; an IPv6 address stands in brackets")
    if not (port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise WrongValueError(f"has the port {port!r}, which is no number from 0 to {MAX_PORT}")
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise WrongValueError("has brackets around what is no IPv6 address") from None
    elif not all(part and part.replace("-", "").replace("_", "").isalnum() for part in host.split(".")):
        raise WrongValueError(f"has the host {host!r}, which is neither an IP address nor a name")
    return HostPort(host, int(port))


class Address:
    """An address to listen on."""

    allowed = "HOST:PORT, an IPv6 host in brackets, port 0 for any free one"

    def read(self, raw: object, *, text: bool) -> HostPort:
        """See `parse_host_port`."""
        return parse_host_port(raw)

    def show(self, value: object) -> object:
        """HOST:PORT."""
        return str(value)


class Listen(Address):
    """An address to listen on, or a socket of this machine."""

    allowed = "HOST:PORT, an IPv6 host in brackets ([::] is every address, IPv4 too), or unix:/path"

    def read(self, raw: object, *, text: bool) -> HostPort:
        """See `parse_host_port`."""
        if not isinstance(raw, str) or not raw.startswith(UNIX):
            return parse_host_port(raw)
        path = raw.removeprefix(UNIX)
        if not path.startswith("/") or path.endswith("/") or "\0" in path:
            raise WrongValueError("is no path of a socket; write unix:/path/of/the.sock")
        if len(path.encode()) > MAX_SOCKET_PATH:
            raise WrongValueError(f"has a path of more than {MAX_SOCKET_PATH} bytes, the most that a socket can have")
        return HostPort(raw, 0)


class AddressOrOff:
    """An address to listen on, or ``off``."""

    allowed = "HOST:PORT, or off"

    def read(self, raw: object, *, text: bool) -> HostPort | None:
        """None for ``off`` (which YAML reads as false)."""
        return None if raw is False or raw == "off" else parse_host_port(raw)

    def show(self, value: object) -> object:
        """HOST:PORT or off."""
        return "off" if value is None else str(value)


class Addresses:
    """A list of addresses; with commas in text."""

    allowed = "a list of HOST:PORT (with commas between them in the environment)"

    def read(self, raw: object, *, text: bool) -> tuple[HostPort, ...]:
        """Every one is checked; the error names the first wrong one."""
        if text and isinstance(raw, str):
            raw = [part.strip() for part in raw.split(",") if part.strip()]
        if not isinstance(raw, list):
            raise WrongValueError(f"is {type_name(raw)}, not a list")
        found = []
        for item in raw:
            try:
                address = parse_host_port(item)
            except WrongValueError as error:
                raise WrongValueError(f"has {item!r}, which {error}") from None
            if address.port == 0:
                raise WrongValueError(f"has {item!r}, but others cannot connect to port 0")
            found.append(address)
        return tuple(found)

    def show(self, value: object) -> object:
        """A list of HOST:PORT."""
        return [str(item) for item in value] if isinstance(value, tuple) else value


class Switch:
    """true or false."""

    allowed = "true or false (in the environment also 1, 0, yes, no)"

    def read(self, raw: object, *, text: bool) -> bool:
        """YAML 1.1's yes, no, on, off arrive as bool."""
        if isinstance(raw, bool):
            return raw
        if text and isinstance(raw, str):
            words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
            if (word := raw.strip().lower()) in words:
                return words[word]
            raise WrongValueError("is neither true nor false")
        raise WrongValueError(f"is {type_name(raw)}, not true or false")

    def show(self, value: object) -> object:
        """A bool."""
        return value


class Number:
    """A number in [low, high]; ``whole`` ones only, if asked; 0 too, if ``zero`` says what it means."""

    def __init__(self, low: float, high: float, *, whole: bool = False, zero: str = "") -> None:
        self._low, self._high, self._whole, self._zero = low, high, whole, zero

    @property
    def allowed(self) -> str:
        """The range."""
        what = "a whole number" if self._whole else "a number"
        zero = f", or 0 ({self._zero})" if self._zero else ""
        return f"{what} from {self._low:g} to {self._high:.12g}{zero}"

    def read(self, raw: object, *, text: bool) -> float:
        """An int for whole numbers, a float otherwise."""
        value = self._number(raw, text=text)
        if not (self._low <= value <= self._high or (self._zero and value == 0)):
            raise WrongValueError("is out of range")
        return value

    def _number(self, raw: object, *, text: bool) -> float:
        if text and isinstance(raw, str):
            try:
                raw = int(raw) if self._whole else float(raw)
            except ValueError:
                raise WrongValueError("is no whole number" if self._whole else "is no number") from None
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise WrongValueError(f"is {type_name(raw)}, not a number")
        if self._whole:
            if not isinstance(raw, int):
                raise WrongValueError("is no whole number")
            return raw
        if not math.isfinite(raw):
            raise WrongValueError("is not finite")
        return float(raw)

    def show(self, value: object) -> object:
        """The number, without a fraction where it has none."""
        return int(value) if isinstance(value, float) and value.is_integer() else value


class Span:
    """Two numbers, the lower first: a value is chosen at random between them."""

    def __init__(self, low: float, high: float) -> None:
        self._number = Number(low, high)

    @property
    def allowed(self) -> str:
        """A pair and its range."""
        return f"[LOW, HIGH], each {self._number.allowed}, LOW not above HIGH (LOW,HIGH in the environment)"

    def read(self, raw: object, *, text: bool) -> tuple[float, float]:
        """(low, high)."""
        if text and isinstance(raw, str):
            raw = raw.split(",")
        if not isinstance(raw, list) or len(raw) != 2:
            raise WrongValueError(f"is {type_name(raw)}, not a pair" if not isinstance(raw, list) else "is not a pair")
        low, high = (self._number.read(item, text=text) for item in raw)
        if low > high:
            raise WrongValueError("has its upper end below its lower end")
        return low, high

    def show(self, value: object) -> object:
        """A list of two."""
        return [self._number.show(item) for item in value] if isinstance(value, tuple) else value


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self._words = words

    @property
    def allowed(self) -> str:
        """The words."""
        return " or ".join([", ".join(self._words[:-1]), self._words[-1]])

    def read(self, raw: object, *, text: bool) -> str:
        """The word."""
        if not isinstance(raw, str):
            raise WrongValueError(f"is {type_name(raw)}, not one of the words")
        if raw not in self._words:
            raise WrongValueError("is not one of the words")
        return raw

    def show(self, value: object) -> object:
        """The word."""
        return value


class Word:
    """A short text without spaces, slashes and control characters; empty is allowed."""

    allowed = "up to 63 letters, digits, '.', '_' and '-' (a number stands in quotes in YAML)"

    def read(self, raw: object, *, text: bool) -> str:
        """The text."""
        if not isinstance(raw, str):
            raise WrongValueError(f"is {type_name(raw)}, not a text")
        if len(raw) > 63 or not all(char.isascii() and (char.isalnum() or char in "._-") for char in raw):
            raise WrongValueError("has characters that it may not have, or too many")
        return raw

    def show(self, value: object) -> object:
        """The text."""
        return value


class File:
    """A path; relative ones are taken from the working directory. That it exists is checked with the contradictions."""

    allowed = "the path of a file"

    def read(self, raw: object, *, text: bool) -> Path | None:
        """The path, None for an empty text."""
        if not isinstance(raw, str):
            raise WrongValueError(f"is {type_name(raw)}, not a path")
        return Path(raw) if raw else None

    def show(self, value: object) -> object:
        """The path as it was written."""
        return None if value is None else str(value)


class Definitions:
    """Name -> a definition; what one may have is said by whoever ``allowed`` comes from."""

    def __init__(self, allowed: str) -> None:
        self.allowed = allowed

    def read(self, raw: object, *, text: bool) -> dict[str, dict[str, object]]:
        """The mapping."""
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raise WrongValueError(f"is {type_name(raw)}, not a mapping")
        for name, definition in raw.items():
            if not isinstance(definition, dict):
                raise WrongValueError(f"has {name!r}, which is {type_name(definition)}, not a mapping")
        return raw

    def show(self, value: object) -> object:
        """The mapping."""
        return value


class FeedTable:
    """Feed name -> topic names."""

    allowed = "a mapping NAME: [topic, ...]"

    def read(self, raw: object, *, text: bool) -> dict[str, tuple[str, ...]]:
        """The mapping."""
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raise WrongValueError(f"is {type_name(raw)}, not a mapping")
        feeds = {}
        for name, topics in raw.items():
            if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
                raise WrongValueError(f"has {name!r}, which is not a list of topic names")
            feeds[name] = tuple(topics)
        return feeds

    def show(self, value: object) -> object:
        """Lists."""
        return {name: list(topics) for name, topics in value.items()} if isinstance(value, dict) else value
