"""Who sees the admin port beyond loopback: asked over TLS, and known by the rules that hold for agents.

Place: before `pages` where `access` makes one; `ports` has its TLS. It runs on the observers' thread; a token is
reviewed on the server's loop, with those of agents.

1. Nothing of the port is answered to who is not let in: no page, no file, no probe.
2. The certificates are the agents' port's, those in force at each handshake; so is what is asked of a peer.
3. At most REVIEWS tokens are asked about at a time, of the places that agents' have, each for at most TIMEOUT_S.
4. A refusal has the words that an agent hears: 401 who is not known, 403 who has no right, 503 who cannot be known now.

Road not taken: sessions and cookies. A browser shows its certificate by itself, everything else a header; what is not
kept cannot be stolen.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from math import ceil
from typing import Any, Final

from typha.downstream.authentication import Authentication
from typha.downstream.identity import Peer
from typha.downstream.server_tls import ServerTls
from typha.downstream.token_reviews import TokenReviews
from typha.observe.inquiries import BusyError, ask_loop
from typha.observe.pages import Request, Response, error_response
from typha.observe.ports import Answer, PortTls
from typha.wire.errors import RefusedError
from typha.wire.states import RefusalCode

__all__ = ["AnyReviews", "Door"]

log = logging.getLogger("typha.observe")

AnyReviews = TokenReviews[Any] | None

# Of the 16 that agents have; one takes the API server some milliseconds.
REVIEWS: Final = 4
# With the wait for a place; a browser's patience.
TIMEOUT_S: Final = 5.0

_RETRY_S: Final = 1.0

_CODES: Final[dict[str, int]] = {RefusalCode.FORBIDDEN: 403, RefusalCode.NOT_READY: 503}


class Door:
    """See the module. Made on the server's loop; ``reviews`` None: no tokens are looked at."""

    def __init__(
        self, tls: ServerTls, authentication: Authentication, reviews: AnyReviews, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._served = tls
        self._authentication = authentication
        self._reviews = reviews
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(REVIEWS)
        self.tls = PortTls(lambda: tls.context, self._failed)

    def before(self, answer: Answer) -> Answer:
        """``answer``, for who is let in."""

        async def admitted(request: Request) -> Response:
            try:
                await self._check(request)
            except RefusedError as refusal:
                return self._refused(request, refusal)
            return await answer(request)

        return admitted

    async def _check(self, request: Request) -> None:
        """Raises RefusedError."""
        caller = self._authentication.caller(request.certificate)
        token = bearer_token(request.headers.get("authorization", ""))
        if caller.needs_review(token):
            caller.reviewed(await self._review(token))
        caller.check()
        caller.check_page()

    async def _review(self, token: str) -> Peer:
        if self._reviews is None:
            raise RefusedError(RefusalCode.UNAUTHENTICATED, "tokens are not looked at")
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                return (await ask_loop(self._loop, self._reviews.find(token))).peer
        except TimeoutError:
            why = f"no answer within {self._timeout_s:g} s"
        except BusyError as error:
            why = str(error)
        raise RefusedError(RefusalCode.NOT_READY, f"the token cannot be reviewed now: {why}", _RETRY_S)

    def _refused(self, request: Request, refusal: RefusedError) -> Response:
        code = _CODES.get(refusal.code, 401)
        log.warning(
            "refused to show the admin port",
            extra={"address": request.address, "code": code, "error": str(refusal)},
        )
        headers: tuple[tuple[str, str], ...] = ()
        if code == 401 and self._authentication.takes_tokens:
            headers = (("WWW-Authenticate", "Bearer"),)
        elif refusal.retry_after_s is not None:
            headers = (("Retry-After", str(ceil(refusal.retry_after_s))),)
        return error_response(code, refusal.message)._replace(headers=headers)

    def _failed(self, error: ssl.SSLError, address: str) -> None:
        reason, meaning = self._served.meaning(error, "client")
        log.warning(
            "TLS handshake failed", extra={"port": "admin", "address": address, "reason": reason, "error": meaning}
        )


def bearer_token(authorization: str) -> str:
    """The token of the header (RFC 6750; the scheme in any letters), "" where there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
