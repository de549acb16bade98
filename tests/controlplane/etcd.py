"""etcd: its process, its data folder, and the few calls that tests make to it directly.

Invariants
1. Ports and data folder stay the same over restarts, so API servers find it again by themselves.
2. A copy of the data folder is taken while the process is frozen: it is what a crash at that instant would have left.

Road not taken: `etcdutl snapshot`. It is a third program to build; a copied folder brings the same past back, and the
running API servers notice nothing of the copy but a pause of some milliseconds.
"""

import base64
import http.client
import itertools
import json
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.controlplane.server_process import ControlPlaneError, ServerProcess, free_ports

Json = dict[str, Any]

# Measured on 2 cores: 1 connection 1,200 puts a second, 4 2,300, 8 3,000, 16 and 32 no more.
PUT_CONNECTIONS = 8
REQUEST_TIMEOUT_S = 30.0
ALREADY_COMPACTED = "required revision has been compacted"
# The most that etcd's documentation advises; at the default of 2 GiB a bench of large objects ends early.
QUOTA_BYTES = 8 * 1024**3


class Etcd:
    """One single-member etcd on loopback without fsync. Not started by construction."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.client_port, self._peer_port = free_ports(2)
        self.data_folder = folder / "etcd"
        self._binary = binary
        self._log_path = folder / "etcd.log"
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.client_port}"

    @property
    def process(self) -> ServerProcess:
        if self._process is None:
            raise ControlPlaneError("etcd is not started. What to do: call start() first")
        return self._process

    def start(self) -> None:
        """Returns when it answers; about 0.3 s."""
        peer_url = f"http://127.0.0.1:{self._peer_port}"
        command = [
            str(self._binary),
            "--name=default",
            f"--data-dir={self.data_folder}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            f"--quota-backend-bytes={QUOTA_BYTES}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        self._process = ServerProcess("etcd", command, self._log_path)
        self._process.wait_answering(self._is_healthy)

    def stop(self) -> None:
        """Kills it; what it has acknowledged is in its log, fsync or not, as long as the machine stays up."""
        if self._process is not None:
            self._process.stop()

    def revision(self) -> int:
        """The store's revision now: the highest resourceVersion of the cluster."""
        answer = self._call("/v3/kv/range", {"key": _base64(b"\0"), "count_only": True})
        return int(answer["header"]["revision"])

    def compact(self) -> int:
        """Forgets all history below the present revision, and returns that revision. Idempotent."""
        revision = self.revision()
        try:
            self._call("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        except ControlPlaneError as error:
            if ALREADY_COMPACTED not in str(error):
                raise
        return revision

    def put_many(self, items: Iterable[tuple[str, Json]], per_revision: int = 1) -> int:
        """Writes JSON objects at absolute keys over several connections, in no certain order; returns how many.

        With `per_revision` above 1 (128 at most, etcd's limit) that many share a transaction and so a revision: 10,000
        a second instead of 3,000. Only while no API server runs: one that does takes the first event of a revision for
        all of it, and has been seen to answer a consistent LIST without the others.
        """
        source, lock = iter(items), threading.Lock()

        def write_until_empty(_: int) -> int:
            count = 0
            with closing(self._connect()) as connection:
                while True:
                    with lock:
                        batch = list(itertools.islice(source, per_revision))
                    if not batch:
                        return count
                    puts = [{"requestPut": _put_request(key, value)} for key, value in batch]
                    if per_revision == 1:
                        self._call("/v3/kv/put", puts[0]["requestPut"], connection)
                    else:
                        self._call("/v3/kv/txn", {"success": puts}, connection)
                    count += len(batch)

        with ThreadPoolExecutor(PUT_CONNECTIONS, thread_name_prefix="etcd-put") as pool:
            return sum(pool.map(write_until_empty, range(PUT_CONNECTIONS)))

    def copy_data(self, target: Path) -> None:
        """Copies the data folder as it is at this instant; etcd pauses meanwhile (some 50 ms with little data)."""
        self.process.freeze()
        try:
            shutil.copytree(self.data_folder, target)
        finally:
            self.process.thaw()

    def replace_data(self, source: Path) -> None:
        """Puts a copy of `source` in the data folder's place; only while stopped."""
        if self.process.is_running:
            raise ControlPlaneError(
                "etcd's data folder was to be replaced while etcd runs. What to do: stop() it first"
            )
        shutil.rmtree(self.data_folder)
        shutil.copytree(source, self.data_folder)

    def _is_healthy(self) -> bool:
        with closing(self._connect(timeout_s=2.0)) as connection:
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status == http.client.OK
            except (OSError, http.client.HTTPException):
                return False

    def _connect(self, timeout_s: float = REQUEST_TIMEOUT_S) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.client_port, timeout=timeout_s)

    def _call(self, path: str, body: Json, connection: http.client.HTTPConnection | None = None) -> Json:
        if connection is None:
            with closing(self._connect()) as own:
                return self._call(path, body, own)
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise ControlPlaneError(f"etcd refused {path}: {answer.status} {content.decode(errors='replace')}")
        decoded: Json = json.loads(content)
        return decoded


def _put_request(key: str, value: Json) -> Json:
    return {"key": _base64(key.encode()), "value": _base64(json.dumps(value).encode())}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
