"""One aiohttp session to the API server, with the credentials of the moment.

Place: every request of `upstream` goes through `request`; nothing else touches HTTP.

Invariants
1. Each request asks the configuration for its credentials (`update_params_for_auth`): tokens in files are renewed.
2. What fails is a typed error of `errors`; no aiohttp exception leaves this module.
3. `refresh` loads credentials once per refusal, however many reflectors were refused; streams that run keep theirs.
4. No limit of connections, no total timeout, no netrc. The latter two come with kubernetes_asyncio's own session, so
   its connector (TLS, client certificate) is used under a session of ours.

Road not taken: kubernetes_asyncio's `Watch` and models: no timeouts, an endless loop on 410, 3.9 ms per pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp

from typha.upstream.answers import error_of_answer
from typha.upstream.credentials import describe_tls_error
from typha.upstream.errors import ConnectionLostError, CredentialsError, Phase, RequestError, TlsFailedError
from typha.upstream.kubernetes_client import ApiClient, ConfigException, Configuration
from typha.version import __version__

__all__ = ["ApiSession"]

# An error's body is read up to here: a Status is below 2 KB, a proxy's page is of no interest.
_ERROR_BODY_BYTES: Final = 65_536
_GOOD: Final = frozenset({200, 201})
_READ_BUFFER_BYTES: Final = 1 << 20  # one read of a busy watch; more is latency


class _Connector:
    """What one set of credentials needs, and how many requests use it."""

    def __init__(self, configuration: Configuration) -> None:
        try:
            self.api_client: Any = ApiClient(configuration)
        except (ssl.SSLError, OSError) as error:
            raise CredentialsError(describe_tls_error(error, configuration)) from error
        self.configuration = configuration
        self.host = str(configuration.host)
        self.session = aiohttp.ClientSession(
            connector=self.api_client.rest_client.pool_manager.connector,
            connector_owner=False,
            read_bufsize=_READ_BUFFER_BYTES,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self.proxy = configuration.proxy
        self.uses = 0
        self.is_retired = False

    async def close(self) -> None:
        await self.session.close()
        await self.api_client.close()


class ApiSession:
    """`load` gives the configuration (see `credentials.load_configuration`); use as an async context."""

    def __init__(self, load: Callable[[], Awaitable[Configuration]]) -> None:
        self._load = load
        self._connector: _Connector | None = None
        self._retired: list[_Connector] = []
        self._refreshing = asyncio.Lock()
        self.generation = 0

    async def __aenter__(self) -> ApiSession:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Load the credentials. Raises CredentialsError."""
        self._connector = _Connector(await self._load())
        self.generation += 1

    async def close(self) -> None:
        """Close all connections."""
        for connector in (*self._retired, self._connector):
            if connector is not None:
                await connector.close()
        self._retired.clear()
        self._connector = None

    async def refresh(self, generation: int) -> None:
        """Load credentials anew, unless that was done since `generation` was refused. Raises CredentialsError."""
        async with self._refreshing:
            if generation != self.generation:
                return
            before = self._connector
            await self.open()
            if before is not None:
                before.is_retired = True
                self._retired.append(before)
                await self._close_unused()

    @property
    def host(self) -> str:
        """The API server's address, for messages."""
        return self._open_connector().host

    @contextlib.asynccontextmanager
    async def request(
        self,
        phase: Phase,
        path: str,
        parameters: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        *,
        body: bytes | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET `path`, with a `body` POST; the answer is a good one. Raises RequestError, also for what breaks in it."""
        connector, generation = self._open_connector(), self.generation
        connector.uses += 1
        try:
            async with self._send(connector, path, parameters, timeout, body) as response:
                if response.status not in _GOOD:
                    said = await response.content.read(_ERROR_BODY_BYTES)
                    error = error_of_answer(phase, response.status, said, response.headers.get("Retry-After"))
                    error.generation = generation
                    response.close()
                    raise error
                yield response
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise _with_generation(TlsFailedError(phase, _one_line(error)), generation) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind = TlsFailedError if isinstance(error.__cause__, ssl.SSLError) else ConnectionLostError
            raise _with_generation(kind(phase, _one_line(error)), generation) from error
        finally:
            connector.uses -= 1
            if connector.is_retired:
                await self._close_unused()

    async def create(self, phase: Phase, path: str, body: bytes, timeout: aiohttp.ClientTimeout) -> bytes:
        """POST JSON to `path`: the answer's body. Raises RequestError."""
        async with self.request(phase, path, {}, timeout, body=body) as response:
            return await response.read()

    async def read(
        self, phase: Phase, path: str, parameters: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> bytes:
        """GET `path`: the whole body. Raises RequestError."""
        async with self.request(phase, path, parameters, timeout) as response:
            return await response.read()

    @contextlib.asynccontextmanager
    async def _send(
        self,
        connector: _Connector,
        path: str,
        parameters: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        body: bytes | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # identity: the server would gzip pages of 128 KB, which costs both sides more than the bytes.
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"typha/{__version__}",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        query = list(parameters.items())
        try:
            await connector.api_client.update_params_for_auth(headers, query, ["BearerToken"])
        except (ConfigException, UnicodeDecodeError) as error:
            raise CredentialsError(f"the service account's token: {error}") from error
        async with connector.session.request(
            "GET" if body is None else "POST",
            connector.host + path,
            params=query,
            data=body,
            headers=headers,
            timeout=timeout,
            proxy=connector.proxy,
            proxy_headers=connector.configuration.proxy_headers,
            server_hostname=connector.configuration.tls_server_name,
            allow_redirects=False,
        ) as response:
            yield response

    def _open_connector(self) -> _Connector:
        if self._connector is None:
            raise ConnectionLostError("cluster", "the session is closed")
        return self._connector

    async def _close_unused(self) -> None:
        unused = [connector for connector in self._retired if not connector.uses]
        self._retired = [connector for connector in self._retired if connector.uses]
        for connector in unused:
            await connector.close()


def _with_generation(error: RequestError, generation: int) -> RequestError:
    error.generation = generation
    return error


def _one_line(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off in the middle"  # its own text is about chunked encoding
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")[:300]
