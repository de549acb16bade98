"""Who may come in and read what, made of the configuration (or, in Typha's place, of its parameters).

Place: `app` calls these once and hands the server what they give; tokens are reviewed through the API session.
"""

from __future__ import annotations

import ssl
import time
from math import inf

from typha import feeds
from typha.config import Config
from typha.downstream.authentication import Authentication
from typha.downstream.identity import peer_of_service_account
from typha.downstream.rights import Rights
from typha.downstream.server_tls import ServerTls
from typha.downstream.tls import TlsError, TlsFiles, server_context
from typha.downstream.token_reviews import Review, ReviewFailedError, TokenRefusedError
from typha.downstream.tokens import Reviewed
from typha.drop_in.settings import DropIn
from typha.observe.door import AnyReviews, Door
from typha.upstream.api_session import ApiSession
from typha.upstream.errors import UpstreamError
from typha.upstream.token_review import TokenNotValidError, review
from typha.wire.identity import parse_wanted


def tls_of(config: Config, drop_in: DropIn | None) -> ServerTls | None:
    """None for plain text. Raises TlsError."""
    agents, tls = drop_in.agent_tls if drop_in is not None else None, config.tls
    if agents is not None:
        minimum, ciphers = agents.minimum, agents.ciphers
        files = agents.files
        return ServerTls(files, lambda found: server_context(found, minimum=minimum, ciphers=ciphers), now=time.time())
    if tls.cert is None or tls.key is None:
        return None
    verify = ssl.CERT_OPTIONAL if config.tokens.audience else ssl.CERT_REQUIRED
    files = TlsFiles(tls.cert, tls.key, tls.client_ca)
    return ServerTls(files, lambda found: server_context(found, verify=verify), now=time.time())


def authentication_of(config: Config, drop_in: DropIn | None, served: feeds.Feeds) -> Authentication:
    """What is asked of agents. Raises RightsError."""
    agents = drop_in.agent_tls if drop_in is not None else None
    rules = feeds.parse_rules(config.rights, served)
    return Authentication(
        asks_certificate=agents is not None or config.tls.client_ca is not None,
        wanted=agents.wanted if agents is not None else tuple(map(parse_wanted, config.tls.client_names)),
        takes_tokens=bool(config.tokens.audience),
        rights=Rights(rules, served.feeds, feeds.secret_topics(served)),
    )


def door_of(config: Config, authentication: Authentication, tls: ServerTls | None, reviews: AnyReviews) -> Door | None:
    """Who sees the admin port; None where it asks nobody: on loopback, and where the operator said ``insecure``.

    Raises TlsError where nobody could be known.
    """
    admin = config.admin
    if admin is None or admin.is_loopback or config.insecure:
        return None
    if tls is None or not authentication.knows_somebody:
        raise TlsError(f"admin {admin} is beyond loopback: it needs `tls`, and `tls.client_ca` or `tokens.audience`")
    return Door(tls, authentication, reviews)


def review_of(config: Config, session: ApiSession) -> Review | None:
    """How a token is reviewed; None where tokens are not looked at."""
    audience = config.tokens.audience
    if not audience:
        return None

    async def ask(token: str) -> Reviewed:
        try:
            found = await review(session, token, audience)
        except TokenNotValidError as error:
            raise TokenRefusedError(str(error)) from None
        except UpstreamError as error:
            raise ReviewFailedError(str(error)) from None
        left_s = inf if found.expires_at is None else found.expires_at - time.time()
        return Reviewed(peer_of_service_account(found.service_account, found.node), left_s)

    return ask
