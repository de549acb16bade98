"""A small synchronous client of the API server on the standard library: the tests' own view of it.

Invariants
1. What the server answers is returned as decoded JSON, untouched; any status from 400 on raises `ApiStatusError`.
2. A request is repeated once, and only where a kept connection had died before it answered a byte.
3. Usable from several threads at a time: each request takes a connection of its own from a pool.

Road not taken: kubernetes_asyncio or kubectl. The first is what `upstream` uses, so both could be wrong together; the
second is not on every machine.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from tests.controlplane.server_process import ControlPlaneError

Json = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
REQUEST_TIMEOUT_S = 30.0


class ApiStatusError(Exception):
    """The server's refusal: `code` (HTTP), `reason` and `message` (Status object), `retry_after_s` (or None)."""

    def __init__(self, method: str, path: str, code: int, body: bytes, retry_after_s: float | None) -> None:
        self.code = code
        self.retry_after_s = retry_after_s
        try:
            status = json.loads(body)
        except ValueError:
            status = None
        if not isinstance(status, dict):
            status = {}
        self.reason = str(status.get("reason", ""))
        self.message = str(status.get("message") or body.decode(errors="replace").strip())
        super().__init__(f"{method} {path}: {code} {self.reason}: {self.message}")


def resource_path(
    resource: str, *, namespace: str | None = None, name: str | None = None, subresource: str | None = None
) -> str:
    """`v1/pods`, `discovery.k8s.io/v1/endpointslices` -> the request path; what starts with `/` is taken as it is."""
    if resource.startswith("/"):
        path = resource
    else:
        parts = resource.split("/")
        if len(parts) not in {2, 3} or not all(parts):
            raise ControlPlaneError(f"resource {resource!r} is neither `version/plural` nor `group/version/plural`")
        root = "/api" if len(parts) == 2 else f"/apis/{parts[0]}"
        scope = f"/namespaces/{quote(namespace)}" if namespace else ""
        path = f"{root}/{parts[-2]}{scope}/{parts[-1]}"
    for part in (name, subresource):
        if part:
            path += "/" + quote(part)
    return path


class Rest:
    """Requests to one API server as one user. `resource` is a string that `resource_path` takes."""

    def __init__(
        self, port: int, tls: ssl.SSLContext, *, token: str | None = None, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        self.port = port
        self.timeout_s = timeout_s
        self._tls = tls
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._idle: list[http.client.HTTPSConnection] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the kept connections; the client stays usable."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def get(self, resource: str, name: str | None = None, namespace: str | None = None, **query: Any) -> Json:
        return self.request("GET", resource_path(resource, namespace=namespace, name=name), query=query)

    def list(self, resource: str, namespace: str | None = None, **query: Any) -> Json:
        """The list as the server gives it. Without `resourceVersion` in the query it is a consistent read."""
        return self.request("GET", resource_path(resource, namespace=namespace), query=query)

    def create(self, resource: str, body: Json, namespace: str | None = None) -> Json:
        return self.request("POST", resource_path(resource, namespace=namespace), body=body)

    def replace(self, resource: str, name: str, body: Json, namespace: str | None = None) -> Json:
        return self.request("PUT", resource_path(resource, namespace=namespace, name=name), body=body)

    def patch(self, resource: str, name: str, patch: Json, namespace: str | None = None) -> Json:
        """A JSON merge patch: null removes, lists are replaced."""
        path = resource_path(resource, namespace=namespace, name=name)
        return self.request("PATCH", path, body=patch, content_type=MERGE_PATCH)

    def patch_status(self, resource: str, name: str, status: Json, namespace: str | None = None) -> Json:
        """A JSON merge patch of `status` through the status subresource."""
        path = resource_path(resource, namespace=namespace, name=name, subresource="status")
        return self.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)

    def delete(self, resource: str, name: str, namespace: str | None = None, *, grace_s: int | None = 0) -> Json:
        """Deletes at once.

        With `grace_s` above 0, or None for the kind's own, a pod stays `Terminating`: no kubelet ends it. A pod that
        has a node is MODIFIED first (deletionTimestamp), then DELETED, also at grace 0: two revisions.
        """
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        return self.request("DELETE", resource_path(resource, namespace=namespace, name=name), body=body)

    def watch(
        self, resource: str, namespace: str | None = None, *, resource_version: str, timeout_s: int, **query: Any
    ) -> Iterator[Json]:
        """Yields watch events after `resource_version` until the server ends the watch after `timeout_s`.

        A version that is too old comes as an ERROR event with code 410 in an answer of status 200: so is Kubernetes.
        """
        query |= {"watch": 1, "resourceVersion": resource_version, "timeoutSeconds": timeout_s}
        path = resource_path(resource, namespace=namespace)
        with self._answer("GET", path, query, None, {}, timeout_s + self.timeout_s) as answer:
            for line in answer:
                yield json.loads(line)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Json | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """One request, one decoded answer. Raises ApiStatusError; OSError or HTTPException without a full answer."""
        content = None if body is None else json.dumps(body).encode()
        with self._answer(method, path, query or {}, content, {"Content-Type": content_type}) as answer:
            decoded: Json = json.loads(answer.read())
            return decoded

    def text(self, path: str) -> str:
        """A page that is no JSON, such as `/metrics`."""
        with self._answer("GET", path, {}, None, {}) as answer:
            return answer.read().decode()

    def is_ready(self, timeout_s: float = 2.0) -> bool:
        """Whether /readyz answers 200 within `timeout_s`, on a new connection."""
        connection = self._connect(timeout_s)
        try:
            connection.request("GET", "/readyz", headers=self._headers)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        query: Json,
        content: bytes | None,
        headers: dict[str, str],
        timeout_s: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        target = path + ("?" + urlencode(query) if query else "")
        connection, answer = self._send(method, target, content, self._headers | headers, timeout_s or self.timeout_s)
        try:
            if answer.status >= http.client.BAD_REQUEST:
                retry_after = answer.headers.get("Retry-After")
                raise ApiStatusError(
                    method, target, answer.status, answer.read(), float(retry_after) if retry_after else None
                )
            yield answer
        finally:
            # Read to its end, a connection is kept; a watch that was left early is not.
            if answer.isclosed() and connection.sock is not None:
                with self._lock:
                    self._idle.append(connection)
            else:
                answer.close()
                connection.close()

    def _send(
        self, method: str, target: str, content: bytes | None, headers: dict[str, str], timeout_s: float
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(timeout_s)
            try:
                connection.request(method, target, content, headers)
                return connection, connection.getresponse()
            except (ConnectionError, ssl.SSLEOFError, http.client.BadStatusLine):
                connection.close()  # the server had closed it meanwhile: once more on a new one
            except BaseException:
                connection.close()
                raise
        connection = self._connect(timeout_s)
        try:
            connection.request(method, target, content, headers)
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def _connect(self, timeout_s: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout_s, context=self._tls)
