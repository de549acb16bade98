"""One kube-apiserver: its flags, its port, its life.

Invariants
1. The port stays the same over restarts, so that clients find it again by themselves.
2. `start` and `restart` return when /readyz says so, which is after RBAC's built-in roles exist.
3. Flags of a start replace, and never add to, those of the start before.

Road not taken: `--insecure-port` or no authentication (gone since 1.20, and the faults of interest are in it).
"""

from collections.abc import Sequence
from pathlib import Path

from tests.controlplane.admin_rest import AdminRest
from tests.controlplane.credentials import Credentials, User
from tests.controlplane.rest import Rest
from tests.controlplane.server_process import ControlPlaneError, ServerProcess, free_ports


class ApiServer:
    """A kube-apiserver on `https://127.0.0.1:port` in front of an etcd. Not started by construction.

    `rest` speaks to it as `admin`, who is in `system:masters`.
    """

    def __init__(
        self, name: str, binary: Path, folder: Path, etcd_url: str, credentials: Credentials, admin: User
    ) -> None:
        self.name = name
        (self.port,) = free_ports(1)
        self.log_path = folder / f"{name}.log"
        self.rest = AdminRest(self.port, credentials.client_tls(), token=admin.token)
        self._binary = binary
        self._folder = folder
        self._etcd_url = etcd_url
        self._credentials = credentials
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def process(self) -> ServerProcess:
        if self._process is None:
            raise ControlPlaneError(f"{self.name} is not started. What to do: call start() first")
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether its process exists; a frozen one does."""
        return self._process is not None and self._process.is_running

    def start(self, extra_flags: Sequence[str] = ()) -> None:
        """Starts it and waits until it is ready (2.3 s). Raises ControlPlaneError with the log's last lines."""
        if self.is_running:
            raise ControlPlaneError(f"{self.name} runs already. What to do: restart() or kill() it first")
        self._process = ServerProcess(self.name, [*self._command(), *extra_flags], self.log_path)
        self._process.wait_answering(self.rest.is_ready)

    def restart(self, extra_flags: Sequence[str] = ()) -> None:
        """Kills it and starts it again on the same port, with an empty watch cache."""
        self.kill()
        self.start(extra_flags)

    def kill(self) -> None:
        """SIGKILL: all connections are reset, nothing is said to clients. Works on a frozen one. Idempotent."""
        if self._process is not None:
            self._process.stop()
        self.rest.close()

    def terminate(self, grace_s: float = 2.0) -> None:
        """SIGTERM, as in an orderly rollout, and SIGKILL after `grace_s`: with open watches it never ends by itself."""
        self.process.stop(grace_s)
        self.rest.close()

    def freeze(self) -> None:
        """Stops it in mid-step: connections stay open and new ones are accepted by the kernel, but nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """Lets a frozen one go on; it then delivers what etcd has in store for it."""
        self.process.thaw()

    def rest_as(self, user: User) -> Rest:
        """A client as another user, for a `with`."""
        return Rest(self.port, self._credentials.client_tls(user), token=user.token)

    def write_kubeconfig(self, user: User, *, token_in_file: bool = False) -> Path:
        """The path of a kubeconfig for this server and user, written anew. See `Credentials.write_kubeconfig`."""
        path = self._folder / f"kubeconfig-{self.name}-{user.file_name}.json"
        return self._credentials.write_kubeconfig(path, self.url, user, token_in_file=token_in_file)

    def _command(self) -> list[str]:
        files = self._credentials
        return [
            str(self._binary),
            f"--etcd-servers={self._etcd_url}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            # Without this it looks for a default route, which a sandbox may not have.
            "--advertise-address=127.0.0.1",
            # Endpoints of the `kubernetes` Service may not be on loopback: without a reconciler no error each 10 s.
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self._folder / self.name}",
            f"--tls-cert-file={files.server_certificate_path}",
            f"--tls-private-key-file={files.server_key_path}",
            f"--client-ca-file={files.ca_path}",
            f"--token-auth-file={files.token_file_path}",
            f"--service-account-key-file={files.service_account_key_path}",
            f"--service-account-signing-key-file={files.service_account_key_path}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC",
            # No controller makes the ServiceAccount `default`, which this plugin wants every pod to have.
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.96.0.0/16",
        ]
