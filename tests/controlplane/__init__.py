"""A real kube-apiserver and etcd for tests and benches, without containers.

Here belongs what builds, starts, breaks and feeds the two servers: `build` (binaries), `server_process`, `etcd`,
`apiserver`, `credentials`, `rest` (a small synchronous client), `controlplane` (all of it in one object) and `fixtures`
(pytest). Forbidden here: any import of `typha` or `typha_client` (the truth that agents are compared with must not come
from the code under test), asyncio, and any mock: a fault is made by signals, files and processes. This file imports
nothing, so that `python -m tests.controlplane.build` runs on an interpreter without any dependency.

    from tests.controlplane.controlplane import ControlPlane

    with ControlPlane() as control_plane:
        control_plane.rest.create_namespace("a")
        control_plane.rest.create_pod("a", "web", node="n1", ip="10.0.0.7")
        subprocess.run(["kubectl", "get", "pods", "-A"], env={"KUBECONFIG": str(control_plane.kubeconfig)})
"""
