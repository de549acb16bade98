"""Kinds of the settings about identity: names that a peer must have, rules of rights, an audience."""

from __future__ import annotations

from typha.config.kinds import WrongValueError, type_name
from typha.wire.identity import CERTIFICATE_KINDS, parse_wanted


class Names:
    """A list of names that a certificate may have; with commas in text."""

    allowed = (
        f"a list of {', '.join(f'{kind}:NAME' for kind in CERTIFICATE_KINDS)}, a * at the end for any rest "
        "(with commas between them in the environment)"
    )

    def read(self, raw: object, *, text: bool) -> tuple[str, ...]:
        """Every one is checked; the error names the first wrong one."""
        if text and isinstance(raw, str):
            raw = [part.strip() for part in raw.split(",") if part.strip()]
        if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
            raise WrongValueError(
                f"is {type_name(raw)}, not a list" if not isinstance(raw, list) else "is not of texts"
            )
        for item in raw:
            try:
                parse_wanted(item)
            except ValueError as error:
                raise WrongValueError(f"has a name that is none: {error}") from None
        return tuple(raw)

    def show(self, value: object) -> object:
        """A list."""
        return list(value) if isinstance(value, tuple) else value


class Audience:
    """Whom a token is for; empty: tokens are not looked at."""

    allowed = "a name or URL without spaces, up to 253 characters; empty: tokens are not looked at"

    def read(self, raw: object, *, text: bool) -> str:
        """The text."""
        if not isinstance(raw, str):
            raise WrongValueError(f"is {type_name(raw)}, not a text")
        if len(raw) > 253 or not all("!" <= char <= "~" for char in raw):
            raise WrongValueError("has characters that it may not have, or too many")
        return raw

    def show(self, value: object) -> object:
        """The text."""
        return value
