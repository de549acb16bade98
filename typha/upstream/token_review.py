"""Asks the API server whose a token is (TokenReview): what it knows of a ServiceAccount that an agent came with.

Place: `app` hands `review` to the server; every request goes through `api_session`.

Invariants
1. A token counts only where the API server says that it is valid **for our audience**: one made for another server, the
   API server itself included, is refused.
2. Only ServiceAccounts are identities here; a user's token is refused.
3. The token is in no message.

Needs `create` on tokenreviews (authentication.k8s.io). Source: Kubernetes' TokenReview v1; the node of a pod's token is
in ``extra`` from 1.30 on (KEP-4193).
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

import aiohttp
import msgspec

from typha.upstream.api_session import ApiSession
from typha.upstream.errors import BadAnswerError

__all__ = ["ReviewedToken", "TokenNotValidError", "review"]

_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_PREFIX: Final = "system:serviceaccount:"
_NODE_NAME: Final = "authentication.kubernetes.io/node-name"
# One small request; an agent waits for it with its Hello, whose deadline is 10 s.
TIMEOUT_S: Final = 5.0


class TokenNotValidError(Exception):
    """The API server does not accept the token, or not for us; its text is the reason in one line.

    It is an answer, not a failure of upstream: there is nothing to recover from.
    """


class ReviewedToken(NamedTuple):
    """``service_account`` is NAMESPACE/NAME; ``node`` "" and ``expires_at`` (Unix seconds) None where it has none."""

    service_account: str
    node: str
    expires_at: float | None


class _User(msgspec.Struct):
    username: str = ""
    extra: dict[str, list[str]] | None = None


class _Status(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: list[str] | None = None
    error: str = ""


class _Answer(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


class _Claims(msgspec.Struct):
    exp: float | None = None


async def review(session: ApiSession, token: str, audience: str) -> ReviewedToken:
    """Raises TokenNotValidError, and UpstreamError where the API server could not be asked."""
    body = msgspec.json.encode(
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
    )
    answer = await session.create("token review", _PATH, body, aiohttp.ClientTimeout(total=TIMEOUT_S))
    try:
        status = msgspec.json.decode(answer, type=_Answer).status
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswerError("token review", f"{_PATH}: {error}") from None
    return _judge(status, token, audience)


def _judge(status: _Status, token: str, audience: str) -> ReviewedToken:
    if not status.authenticated:
        reason = " ".join(status.error.split())[:300] or "the API server does not know it"
        raise TokenNotValidError(f"{reason} (this server's audience is {audience!r})")
    # An authenticator that knows nothing of audiences answers for its own: Kubernetes says to look.
    if audience not in (status.audiences or ()):
        raise TokenNotValidError(f"it is for {status.audiences or 'no audience'}, not for this server's {audience!r}")
    namespace, colon, name = status.user.username.removeprefix(_PREFIX).partition(":")
    if not status.user.username.startswith(_PREFIX) or not colon:
        raise TokenNotValidError(f"it is of {status.user.username[:200]!r}, which is no ServiceAccount")
    nodes = (status.user.extra or {}).get(_NODE_NAME) or [""]
    return ReviewedToken(f"{namespace}/{name}", nodes[0], _expires_at(token))


def _expires_at(token: str) -> float | None:
    """The end that the token claims; the API server has checked it. None where it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Claims).exp
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
