"""Which environment variables are settings, which are Kubernetes' own, and which are mistakes.

Kubernetes injects, for each Service of the pod's namespace, ``<NAME>_SERVICE_HOST``, ``<NAME>_SERVICE_PORT[_*]`` and
``<NAME>_PORT[_*]`` (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables). For a
Service named ``typha`` they start with ``TYPHA_``; for one named ``typha-metrics`` with ``TYPHA_METRICS_``.

1. Every other ``TYPHA_*`` variable that is not a setting is a problem: a misspelt setting must not be silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PREFIX = "TYPHA_"
VERIFY = "TYPHA_VERIFY"
CONFIG = "TYPHA_CONFIG"


def variable_of(path: str) -> str:
    """``timing.ping_interval_s`` -> ``TYPHA_TIMING_PING_INTERVAL_S``."""
    return PREFIX + path.replace(".", "_").upper()


def injected_by_kubernetes(environment: Mapping[str, str]) -> frozenset[str]:
    """The variables that stand for Services whose name starts with ``typha``, not for settings."""
    stems = {"TYPHA"}
    for name in environment:
        stem = name.removesuffix("_SERVICE_HOST")
        # A Service has both; one of them alone is somebody's mistake.
        if stem != name and stem.startswith(PREFIX) and f"{stem}_SERVICE_PORT" in environment:
            stems.add(stem)
    # TYPHA_PORT* as it stands in the contract: TYPHA_PORT, TYPHA_PORT_5473_TCP, ...
    starts = tuple(f"{stem}_SERVICE_" for stem in stems) + tuple(f"{stem}_PORT_" for stem in stems)
    whole = {f"{stem}_PORT" for stem in stems}
    return frozenset(name for name in environment if name in whole or name.startswith(starts))


def unknown_variables(environment: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """The ``TYPHA_*`` variables that mean nothing here, sorted."""
    expected = {*known, *injected_by_kubernetes(environment), VERIFY, CONFIG}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in expected)
