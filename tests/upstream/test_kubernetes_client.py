from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
from typha.upstream import kubernetes_client as k
assert "kubernetes_asyncio.client.api" not in sys.modules
assert not [name for name in sys.modules if name.startswith("kubernetes_asyncio.client.models.")]
configuration = k.Configuration()
configuration.host = "https://example.com"
assert k.ApiClient.__module__ == "kubernetes_asyncio.client.api_client"
print(k.Configuration.__module__, k.load_kube_config.__module__, k.InClusterConfigLoader.__module__)
"""


def test_the_generated_classes_are_not_imported() -> None:
    """40 MB of each replica's memory, and half a second of its start."""
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "kubernetes_asyncio.client.configuration",
        "kubernetes_asyncio.config.kube_config",
        "kubernetes_asyncio.config.incluster_config",
    ]


def test_a_process_that_has_the_whole_library_keeps_it() -> None:
    check = (
        "import kubernetes_asyncio as whole\n"
        "from typha.upstream import kubernetes_client as k\n"
        "assert k.Configuration is whole.client.Configuration\n"
        "assert whole.client.V1Pod\n"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
