"""Where the API server is and who we are there: kubeconfig, Calico's variables, or the pod that we run in.

Place: the app reads `CredentialSettings` once (`from_environment`); `api_session` loads from them at the start and
again after a 401.

Precedence, as Calico's own (client-go's deferred loading with Calico's overrides):
1. `KUBECONFIG` (or the configuration's kubeconfig): one file or several, separated as `PATH` is, of which the first
   that says something counts. Each of `K8S_API_ENDPOINT`, `K8S_CERT_FILE`, `K8S_KEY_FILE`, `K8S_CA_FILE`, `K8S_TOKEN`
   that is set replaces what the kubeconfig says. `K8S_CA_FILE` also ends `insecure-skip-tls-verify`.
2. Without a kubeconfig, `K8S_API_ENDPOINT` is enough: the other four say the rest.
3. With neither: in-cluster (service account, token read again every minute). `K8S_CA_FILE` and `K8S_TOKEN` replace
   what is there; a client certificate is not looked at, as in client-go.
`~/.kube/config` is never read unasked: a server that finds another cluster by accident serves it to every agent.

The way there: a kubeconfig's `proxy-url`, else `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (`proxy`).

Invariants
1. Nothing but these variables (and Kubernetes' own in-cluster ones) is read; an empty one counts as not set.
2. `CredentialsError` names the variable or file. No secret is in any text or `repr`.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from typha.upstream import proxy
from typha.upstream.errors import CredentialsError
from typha.upstream.kubernetes_client import (
    ConfigException,
    Configuration,
    InClusterConfigLoader,
    load_kube_config,
)

__all__ = ["SERVICE_ACCOUNT", "CredentialSettings", "from_environment", "load_configuration"]

# Where Kubernetes mounts a pod's service account.
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_VARIABLES: Final = {
    "kubeconfig": "KUBECONFIG",
    "api_endpoint": "K8S_API_ENDPOINT",
    "cert_file": "K8S_CERT_FILE",
    "key_file": "K8S_KEY_FILE",
    "ca_file": "K8S_CA_FILE",
    "token": "K8S_TOKEN",
}


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """What the operator gave; "" is not given. `service`: host and port of the API server as a pod sees it."""

    kubeconfig: str = ""
    api_endpoint: str = ""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    token: str = field(default="", repr=False)
    service: Mapping[str, str] = field(default_factory=dict)
    service_account: Path = SERVICE_ACCOUNT
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)  # an address of one may have a password


def from_environment(environ: Mapping[str, str], *, kubeconfig: str = "") -> CredentialSettings:
    """The settings in `environ`; `kubeconfig` (a flag, the configuration file) goes before the variable.

    Raises CredentialsError where `DATASTORE_TYPE` asks for what we are not.
    """
    datastore = environ.get("DATASTORE_TYPE", "")
    if datastore not in {"", "kubernetes"}:
        raise CredentialsError(
            f"DATASTORE_TYPE is {datastore!r}: only 'kubernetes' is served. typha reads the Kubernetes API server and "
            "has no client for an etcd of Calico's own; unset it, or set it to kubernetes"
        )
    values = {name: environ.get(variable, "") for name, variable in _VARIABLES.items()}
    values["kubeconfig"] = kubeconfig or values["kubeconfig"]
    service = {name: environ.get(name, "") for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")}
    proxies = {name: environ[name] for each in proxy.VARIABLES for name in (each, each.lower()) if name in environ}
    return CredentialSettings(**values, service=service, proxies=proxies)  # type: ignore[arg-type]


async def load_configuration(settings: CredentialSettings) -> Configuration:
    """Read files, run exec plugins. Raises CredentialsError."""
    _check_files(settings)
    configuration = Configuration()
    if settings.kubeconfig:
        paths, context = _choose_context(settings.kubeconfig)
        await _load_kubeconfig(configuration, paths, context)
    elif settings.api_endpoint:
        configuration.host = settings.api_endpoint
    else:
        _load_in_cluster(configuration, settings)
    _override(configuration, settings)
    configuration.proxy = configuration.proxy or proxy.proxy_of(configuration.host or "", settings.proxies)
    # One connection per watch; aiohttp's default of 100 would let the 101st wait for ever. 0 is no limit.
    configuration.connection_pool_maxsize = 0
    return configuration


def _check_files(settings: CredentialSettings) -> None:
    if bool(settings.cert_file) is not bool(settings.key_file):
        there, missing = ("K8S_CERT_FILE", "K8S_KEY_FILE") if settings.cert_file else ("K8S_KEY_FILE", "K8S_CERT_FILE")
        raise CredentialsError(f"{there} is set but {missing} is not: a client certificate needs both")
    for variable, path in (
        ("K8S_CERT_FILE", settings.cert_file),
        ("K8S_KEY_FILE", settings.key_file),
        ("K8S_CA_FILE", settings.ca_file),
    ):
        if path and not Path(path).is_file():
            raise CredentialsError(f"{variable} names {path}, which is not a file")


def _choose_context(paths: str) -> tuple[str, str]:
    """The files that exist, and the context to use: as kubectl, of the first file that names one."""
    existing = [str(path) for each in paths.split(os.pathsep) if each and (path := Path(each).expanduser()).is_file()]
    if not existing:
        raise CredentialsError(f"kubeconfig {paths}: no such file")
    for each in existing:
        if context := _current_context(Path(each)):
            return os.pathsep.join(existing), context
    raise CredentialsError(f"kubeconfig {paths}: no current-context; set it with kubectl config use-context")


async def _load_kubeconfig(configuration: Configuration, paths: str, context: str) -> None:
    try:
        await load_kube_config(
            config_file=paths, context=context, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        # The loader's own checks are partial; whatever it trips over is in the file or in the plugin's answer.
        raise CredentialsError(f"kubeconfig {paths}, context {context}: {error or type(error).__name__}") from error


def _current_context(path: Path) -> str | None:
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CredentialsError(f"kubeconfig {path}: cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CredentialsError(f"kubeconfig {path}: is not a map (kind: Config)")
    context = document.get("current-context")
    return context if isinstance(context, str) else None


def _load_in_cluster(configuration: Configuration, settings: CredentialSettings) -> None:
    if not all(settings.service.values()) or not settings.service:
        raise CredentialsError(
            "no way to an API server: set KUBECONFIG or K8S_API_ENDPOINT, or run in a pod (where "
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are set)"
        )
    loader = InClusterConfigLoader(
        token_filename=str(settings.service_account / "token"),
        cert_filename=settings.ca_file or str(settings.service_account / "ca.crt"),
        environ=dict(settings.service),
    )
    try:
        loader.load_and_set(configuration)
    except (ConfigException, OSError) as error:
        raise CredentialsError(
            f"in-cluster credentials in {settings.service_account}: {error}; is automountServiceAccountToken off?"
        ) from error


def _override(configuration: Configuration, settings: CredentialSettings) -> None:
    if settings.api_endpoint:
        configuration.host = settings.api_endpoint
    host = (configuration.host or "").rstrip("/")
    configuration.host = host if host.startswith(("http://", "https://")) else f"https://{host}"
    if settings.cert_file and (settings.kubeconfig or settings.api_endpoint):
        configuration.cert_file, configuration.key_file = settings.cert_file, settings.key_file
    if settings.ca_file:
        configuration.ssl_ca_cert, configuration.verify_ssl = settings.ca_file, True
    if settings.token:
        configuration.api_key["BearerToken"] = f"Bearer {settings.token}"
        configuration.refresh_api_key_hook = None


def describe_tls_error(error: ssl.SSLError | OSError, configuration: Configuration) -> str:
    """What to look at where the TLS files cannot be used."""
    files = [configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file]
    return f"TLS files {', '.join(str(each) for each in files if each)}: {error}"
