"""The whole control plane in one object: one etcd, one or more API servers, identities, and faults on demand.

Invariants
1. Everything is in one temporary folder and on loopback ports of its own: several control planes run side by side.
2. All of it is synchronous. From an asyncio test call it through `asyncio.to_thread`.
3. `stop` leaves no process and no folder; an interpreter that is killed leaves no process.

How a test gets a real 410 (`Expired`), which is not obvious, because API servers answer from their watch cache (1.36):
`compact_etcd()` alone changes nothing for a running API server, neither for watches nor for continue tokens.
`forget_history()` compacts *and* restarts it on an empty cache: then a watch from an older resourceVersion answers 200
with one ERROR event of code 410, and a continue token of an older list is refused with status 410.

Road not taken: envtest's own setup program (another download), kind or k3d (containers, and no faults in the store).
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.controlplane.admin_rest import AdminRest
from tests.controlplane.apiserver import ApiServer
from tests.controlplane.build import Binaries, find_or_build
from tests.controlplane.credentials import Credentials, User
from tests.controlplane.etcd import Etcd
from tests.controlplane.rest import Json
from tests.controlplane.server_process import ControlPlaneError

MASTERS = "system:masters"


class ControlPlane:
    """Real etcd and kube-apiserver. `with ControlPlane() as control_plane:` starts (3 s) and stops them.

    `extra_flags` are for the first API server's first start, such as `--feature-gates=WatchList=false`.
    """

    def __init__(self, *extra_flags: str, binaries: Binaries | None = None) -> None:
        self._binaries = binaries or find_or_build()
        self._extra_flags = extra_flags
        self.folder = Path(tempfile.mkdtemp(prefix="typha-controlplane-"))
        self.credentials = Credentials(self.folder)
        self.admin = self.credentials.add_token_user("admin", (MASTERS,))
        self.etcd = Etcd(self._binaries.etcd, self.folder)
        self.apiservers = [self._new_apiserver(0)]
        self.kubeconfig = self.apiserver.write_kubeconfig(self.admin)

    @property
    def apiserver(self) -> ApiServer:
        """The first API server."""
        return self.apiservers[0]

    @property
    def rest(self) -> AdminRest:
        """The first API server's client as `admin`."""
        return self.apiserver.rest

    def start(self) -> Self:
        """Returns when the API server is ready. Where a start fails, everything is stopped and the error says why."""
        try:
            self.etcd.start()
            self.apiserver.start(self._extra_flags)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Kills all processes and removes the folder with the logs. Idempotent."""
        for apiserver in self.apiservers:
            apiserver.kill()
        self.etcd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def list_json(self, resource: str, namespace: str | None = None) -> Json:
        """A consistent full LIST (no resourceVersion, no pages): the truth that an agent's replica must equal.

        `resource` is `v1/pods`, `group/version/plural`, or a path that starts with `/`.
        """
        return self.rest.list(resource, namespace)

    # Faults of the API server

    def freeze(self) -> None:
        """The first API server stops answering; its connections stay open."""
        self.apiserver.freeze()

    def thaw(self) -> None:
        """The first API server goes on."""
        self.apiserver.thaw()

    def kill_apiserver(self) -> None:
        """The first API server ends at once; its port refuses connections."""
        self.apiserver.kill()

    def restart_apiserver(self, *extra_flags: str) -> None:
        """Kills the first API server, if it runs, and starts it on the same port with an empty watch cache.

        `extra_flags` hold for this run only; without any it runs as by default.
        """
        self.apiserver.restart(extra_flags)

    def add_apiserver(self, *extra_flags: str) -> ApiServer:
        """Starts another API server on the same etcd, with the same identities."""
        apiserver = self._new_apiserver(len(self.apiservers))
        apiserver.start(extra_flags)
        self.apiservers.append(apiserver)
        return apiserver

    # Faults of the store

    def compact_etcd(self) -> int:
        """Forgets etcd's history below its present revision, which is returned. See the module's text on 410."""
        return self.etcd.compact()

    def forget_history(self) -> int:
        """Compacts etcd and restarts the first API server: every watch from an older resourceVersion gets 410.

        Returns the revision of the compaction.
        """
        self.kill_apiserver()
        revision = self.compact_etcd()
        self.restart_apiserver()
        return revision

    def snapshot_etcd(self) -> Path:
        """Copies etcd's data folder as it is now, for `restore_etcd`. All keep running; etcd pauses for some 50 ms."""
        target = Path(tempfile.mkdtemp(prefix="etcd-copy-", dir=self.folder)) / "data"
        self.etcd.copy_data(target)
        return target

    def restore_etcd(self, snapshot: Path) -> None:
        """Stops all servers, brings the copied data back, starts them again: resourceVersions go backwards.

        An API server writes 2 or 3 revisions at its start and a lease every 10 s: a test whose agents must see a lower
        resourceVersion writes more than that (20 objects, say) between the copy and the restore.
        API servers that did not run before do not run after it.
        """
        running = [apiserver for apiserver in self.apiservers if apiserver.is_running]
        for apiserver in running:
            apiserver.kill()
        self.etcd.stop()
        self.etcd.replace_data(snapshot)
        self.etcd.start()
        for apiserver in running:
            apiserver.start()

    def put_raw(self, objects: Mapping[str, Json] | Iterable[tuple[str, Json]], per_revision: int = 1) -> int:
        """For benches only: writes objects straight into etcd, past validation and admission; returns how many.

        Keys: `/registry/pods/NAMESPACE/NAME`, for CRDs `/registry/GROUP/PLURAL/[NAMESPACE/]NAME`. Objects must be
        complete as stored: apiVersion, kind, metadata with name, namespace, uid and creationTimestamp.
        `per_revision`: see `Etcd.put_many`; above 1 every API server must be down, which is checked.
        """
        if per_revision > 1 and any(apiserver.is_running for apiserver in self.apiservers):
            raise ControlPlaneError(
                f"put_raw(per_revision={per_revision}) while an API server runs makes its consistent lists incomplete."
                " What to do: kill_apiserver() before and restart_apiserver() after it, or per_revision=1"
            )
        pairs = objects.items() if isinstance(objects, Mapping) else objects
        return self.etcd.put_many(pairs, per_revision)

    # Identities

    def add_service_account(self, name: str, namespace: str = "default") -> User:
        """A user with a token, without any right, known at once. See `rest.allow`, `write_kubeconfig`."""
        return self.rest.create_service_account(namespace, name)

    def add_certificate_user(self, name: str, group: str | None = None) -> User:
        """A user with a client certificate, without any right, known at once."""
        return self.credentials.add_certificate_user(name, (group,) if group else ())

    def add_token_user(self, name: str, *groups: str) -> User:
        """A user of the token file, which is read at start only: **restarts** every API server that runs."""
        user = self.credentials.add_token_user(name, groups)
        self._restart_running()
        return user

    def revoke_token(self, user: User) -> None:
        """The token is refused with 401 from now on.

        A service account is deleted, which API servers notice within 10 s (their token cache); for a user of the token
        file every API server that runs is **restarted**.
        """
        if user.name.startswith("system:serviceaccount:"):
            _, _, namespace, name = user.name.split(":")
            self.rest.delete("v1/serviceaccounts", name, namespace)
        elif self.credentials.remove_token_user(user):
            self._restart_running()
        else:
            raise ControlPlaneError(f"{user.name} has no token to revoke: certificates cannot be revoked in Kubernetes")

    def write_kubeconfig(self, user: User, *, token_in_file: bool = False) -> Path:
        """A kubeconfig of this user for the first API server; for another use that one's own method."""
        return self.apiserver.write_kubeconfig(user, token_in_file=token_in_file)

    def _restart_running(self) -> None:
        for apiserver in self.apiservers:
            if apiserver.is_running:
                apiserver.restart()

    def _new_apiserver(self, number: int) -> ApiServer:
        name = f"kube-apiserver-{number}"
        return ApiServer(name, self._binaries.kube_apiserver, self.folder, self.etcd.url, self.credentials, self.admin)
