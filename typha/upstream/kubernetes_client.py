"""kubernetes_asyncio's configuration and credentials, without the 900 generated classes that come with them.

Place: the only module that imports the library; `credentials` and `api_session` take from here what they use.

Importing `kubernetes_asyncio` runs an `__init__` that imports every model and every API of Kubernetes: 40 MB of each
replica's memory and half a second of its start, for classes that nothing here touches. Its parts do not need them: the
packages' places are taken by empty ones, and only the modules that are named below are run, from the same files.

Invariant: a process that has imported the library as a whole keeps it; what is given from here is the same then.

Road not taken: credentials of our own. Exec plugins, token refresh and in-cluster rules are where home-made code fails.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Final

__all__ = ["ApiClient", "ConfigException", "Configuration", "InClusterConfigLoader", "load_kube_config"]

_LIBRARY: Final = "kubernetes_asyncio"
_CLIENT: Final = f"{_LIBRARY}.client"
_MODELS: Final = f"{_CLIENT}.models"


def _stand_in(name: str, folders: list[str]) -> ModuleType:
    """An empty package whose modules are found in `folders`."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = folders
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    return module


def _without_models() -> None:
    spec = importlib.util.find_spec(_LIBRARY)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {_LIBRARY!r}; pip install 'typha[server]'", name=_LIBRARY)
    folders = list(spec.submodule_search_locations)
    _stand_in(_LIBRARY, folders)
    client = _stand_in(_CLIENT, [f"{folder}/client" for folder in folders])
    _stand_in(_MODELS, [])
    _stand_in(f"{_LIBRARY}.config", [f"{folder}/config" for folder in folders])
    for module, name in (("configuration", "Configuration"), ("api_client", "ApiClient")):
        setattr(client, name, getattr(importlib.import_module(f"{_CLIENT}.{module}"), name))


if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient, Configuration
else:
    if _LIBRARY not in sys.modules:
        _without_models()
    from kubernetes_asyncio.client import ApiClient, Configuration

from kubernetes_asyncio.config.config_exception import ConfigException  # noqa: E402
from kubernetes_asyncio.config.incluster_config import InClusterConfigLoader  # noqa: E402
from kubernetes_asyncio.config.kube_config import load_kube_config  # noqa: E402
