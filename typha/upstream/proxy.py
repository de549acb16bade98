"""Which proxy a request to the API server goes through: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as kubectl reads them.

Place: `credentials` puts the answer into the configuration where a kubeconfig names no `proxy-url` of its own.

1. The upper-case variable goes before the lower-case one; an empty one counts as not set.
2. ``localhost`` and loopback addresses are never proxied.
3. NO_PROXY is a list with commas: ``*`` (no proxy at all), addresses, CIDRs, names. ``example.com`` is that name and
   all below it, ``.example.com`` and ``*.example.com`` are those below it alone; a ``:PORT`` behind is that port alone.

Source: Go's golang.org/x/net/http/httpproxy, which client-go uses. Not taken: urllib's `getproxies`. It knows no CIDR,
and the cluster's service range is what clusters behind a proxy exempt.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from typha.upstream.errors import CredentialsError

__all__ = ["VARIABLES", "proxy_of"]

VARIABLES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_PORTS: Final = {"https": 443, "http": 80}
# What aiohttp speaks to a proxy. socks5 is what Go could do beside.
_SCHEMES: Final = ("http", "https")


def proxy_of(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL for a request to ``url``, None for none. Raises CredentialsError: a proxy of another kind."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    variable = f"{parts.scheme.upper()}_PROXY"
    proxy = _value(environ, variable) if parts.scheme in _PORTS else ""
    if not proxy or not host or _is_local(host):
        return None
    if _is_exempt(host, parts.port or _PORTS[parts.scheme], _value(environ, "NO_PROXY")):
        return None
    if "://" not in proxy:
        return f"http://{proxy}"
    if urlsplit(proxy).scheme not in _SCHEMES:
        kind = urlsplit(proxy).scheme
        raise CredentialsError(f"{variable} names a proxy of kind {kind!r}; {' and '.join(_SCHEMES)} are spoken")
    return proxy


def _value(environ: Mapping[str, str], variable: str) -> str:
    return (environ.get(variable) or environ.get(variable.lower()) or "").strip()


def _is_local(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    for entry in no_proxy.lower().split(","):
        name = entry.strip()
        if name == "*":
            return True
        if name and _is_named(host, port, name):
            return True
    return False


def _is_named(host: str, port: int, name: str) -> bool:
    address = _address(host)
    if "/" in name:
        try:
            network = ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    name, wanted_port = _split_port(name)
    if wanted_port is not None and wanted_port != port:
        return False
    if (wanted := _address(name)) is not None:
        return wanted == address
    if address is not None:
        return False
    below = name.removeprefix("*")
    return host.endswith(below) if below.startswith(".") else host == below or host.endswith(f".{below}")


def _split_port(name: str) -> tuple[str, int | None]:
    if name.startswith("["):
        inner, _, rest = name[1:].partition("]")
        return inner, int(rest[1:]) if rest.startswith(":") and rest[1:].isdigit() else None
    head, colon, port = name.rpartition(":")
    return (head, int(port)) if colon and ":" not in head and port.isdigit() else (name, None)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
