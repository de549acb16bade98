"""Where the API server is, as Calico's components are told: variables of libcalico-go, and what becomes of each here.

Place: `mapping` reads the few that are settings, `app`'s way to the API server is made of `credentials_environment`.

1. Each variable is read as ``CALICO_<NAME>`` first, then as ``<NAME>``; an empty one counts as not set.
2. What cannot be honoured and would change which cluster is read, or who is trusted, is a problem, never a silence.

Source: Calico, libcalico-go/lib/apiconfig; the prefix is the rule of the library that it reads variables with.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, NamedTuple

from typha.config.problems import Problem, shown
from typha.drop_in.kinds import BadValueError, Bool
from typha.drop_in.parameters import Fate
from typha.upstream.credentials import CredentialSettings, from_environment, load_configuration
from typha.upstream.kubernetes_client import Configuration

_PREFIX: Final = "CALICO_"


class Variable(NamedTuple):
    """One variable, or several of the same fate."""

    names: tuple[str, ...]
    fate: Fate
    here: str


_NO_ETCD: Final = "etcd only: there is no etcd client here."
VARIABLES: Final = (
    Variable(("DATASTORE_TYPE",), Fate.REFUSED, "`kubernetes`, or not set. `etcdv3` ends the start."),
    Variable(
        ("KUBECONFIG",), Fate.HONOURED, "One file, or several separated by `:`. `~/.kube/config` is never read unasked."
    ),
    Variable(
        ("K8S_API_ENDPOINT", "K8S_CERT_FILE", "K8S_KEY_FILE", "K8S_CA_FILE"),
        Fate.HONOURED,
        "Each replaces what the kubeconfig says; the endpoint is enough without one.",
    ),
    Variable(
        ("K8SAPITOKEN",),
        Fate.MAPPED,
        "Only as `CALICO_K8SAPITOKEN`, as in Typha: `K8S_TOKEN`, which is read here too.",
    ),
    Variable(("K8S_INSECURE_SKIP_TLS_VERIFY",), Fate.HONOURED, "The API server's certificate is not checked: warned."),
    Variable(
        ("K8S_CURRENT_CONTEXT",),
        Fate.REFUSED,
        "The kubeconfig's own `current-context` counts: set it there.",
    ),
    Variable(
        ("K8S_CLIENT_QPS", "K8S_CLIENT_BURST"),
        Fate.WITHOUT_EFFECT,
        "There is no limiter to set: one list and one watch a resource, paused by its backoff.",
    ),
    Variable(("K8S_DISABLE_NODE_POLL",), Fate.WITHOUT_EFFECT, "None in Typha either."),
    Variable(("USE_POD_CIDR",), Fate.MAPPED, "`calico.use_pod_cidr`."),
    Variable(
        ("CALICO_API_GROUP",),
        Fate.WITHOUT_EFFECT,
        "Found by discovery for each resource: crd.projectcalico.org, and projectcalico.org where only that serves it.",
    ),
    Variable(("ETCD_ENDPOINTS",), Fate.REFUSED, f"Without DATASTORE_TYPE it selects etcd: ends the start. {_NO_ETCD}"),
    Variable(
        (
            "ETCD_DISCOVERY_SRV",
            "ETCD_USERNAME",
            "ETCD_PASSWORD",
            "ETCD_KEY_FILE",
            "ETCD_CERT_FILE",
            "ETCD_CA_CERT_FILE",
        ),
        Fate.WITHOUT_EFFECT,
        _NO_ETCD,
    ),
    Variable(
        ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"), Fate.HONOURED, "The API server as seen from the pod."
    ),
    Variable(
        ("FELIX_INTERFACEPREFIX",),
        Fate.MAPPED,
        "`calico.interface_prefix`: the first of its prefixes; `cali` if unset.",
    ),
    Variable(
        ("TLS_CIPHER_SUITES", "TLS_MIN_VERSION"),
        Fate.HONOURED,
        "Of the agents' port. A bad name ends the start with a line instead of a panic.",
    ),
)
_WITHOUT_PREFIX: Final = frozenset(
    {
        "CALICO_API_GROUP",
        "FELIX_INTERFACEPREFIX",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "TLS_CIPHER_SUITES",
        "TLS_MIN_VERSION",
    }
)


def read(environment: Mapping[str, str], name: str) -> str:
    """A variable's text, "" where it is not set. With the prefix first."""
    return (environment.get(_PREFIX + name) if name not in _WITHOUT_PREFIX else "") or environment.get(name, "")


def credentials_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What `upstream.credentials.from_environment` shall see: ``CALICO_<NAME>`` moved onto ``<NAME>``."""
    seen = dict(environment)
    for variable in VARIABLES:
        for name in variable.names:
            if name not in _WITHOUT_PREFIX and (text := environment.get(_PREFIX + name)):
                seen[name] = text
    if token := seen.pop("K8SAPITOKEN", ""):
        seen["K8S_TOKEN"] = token
    return seen


def way_to_api_server(environment: Mapping[str, str]) -> Callable[[], Awaitable[Configuration]]:
    """What an `ApiSession` is made with. Raises CredentialsError, and so does what it gives."""
    settings = from_environment(credentials_environment(environment))
    return functools.partial(_load, settings, unchecked=_is_unchecked(environment))


async def _load(settings: CredentialSettings, *, unchecked: bool) -> Configuration:
    configuration = await load_configuration(settings)
    if unchecked:
        configuration.verify_ssl = False
    return configuration


def _is_unchecked(environment: Mapping[str, str]) -> bool:
    text = read(environment, "K8S_INSECURE_SKIP_TLS_VERIFY")
    try:
        return bool(text) and Bool().parse(text)
    except BadValueError:
        return False


def warnings_of(environment: Mapping[str, str]) -> Iterator[str]:
    """What an operator should know and what does not end the start."""
    name = "K8S_INSECURE_SKIP_TLS_VERIFY"
    text = read(environment, name)
    if _is_unchecked(environment):
        yield f"environment {name}: the API server's certificate is not checked: who is in between can read the token"
    elif text:
        try:
            Bool().parse(text)
        except BadValueError as error:
            yield f"environment {name} = {shown(name, text)}: {error}; the certificate is checked"


def problems_of(environment: Mapping[str, str]) -> Iterator[Problem]:
    """What ends the start."""
    datastore = read(environment, "DATASTORE_TYPE")
    if datastore not in {"", "kubernetes"}:
        yield Problem(
            "DATASTORE_TYPE", "environment", shown("DATASTORE_TYPE", datastore), "has no client here", "kubernetes"
        )
    elif not datastore and (endpoints := read(environment, "ETCD_ENDPOINTS")):
        reason = "selects an etcd as the datastore, for which there is no client here"
        allowed = "DATASTORE_TYPE=kubernetes, or no ETCD_ENDPOINTS"
        yield Problem("ETCD_ENDPOINTS", "environment", shown("ETCD_ENDPOINTS", endpoints), reason, allowed)
    if context := read(environment, "K8S_CURRENT_CONTEXT"):
        reason = "is not supported, and another cluster might be read"
        yield Problem(
            "K8S_CURRENT_CONTEXT",
            "environment",
            shown("K8S_CURRENT_CONTEXT", context),
            reason,
            "a kubeconfig whose current-context is the one",
        )
