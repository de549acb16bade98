"""Who may speak to the API server, and the files it knows them by: authority, server certificate, token file, keys.

Three kinds of users, because each comes and goes in another way:

| kind | comes | goes | the server notices |
|---|---|---|---|
| token user | a line of the token file | the line is removed | at its next start only |
| certificate user | a certificate of the authority | never (Kubernetes has no revocation) | at once |
| service account | TokenRequest API | the ServiceAccount is deleted | within 10 s (its token cache) |

Invariants
1. One authority per control plane, in memory and in its temporary folder: nothing of it is trusted elsewhere.
2. Kubeconfigs are JSON, which is YAML: no YAML library is needed to write them.
"""

import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme


@dataclass(frozen=True)
class User:
    """One identity, with a bearer token or with a client certificate (PEM files), and its subject in RBAC."""

    name: str
    groups: tuple[str, ...] = ()
    token: str | None = None
    certificate_path: Path | None = None
    key_path: Path | None = None

    @property
    def file_name(self) -> str:
        """The name with what does not belong into a file name replaced."""
        return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in self.name)


class Credentials:
    """The files of one control plane's identities, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._token_users: dict[str, User] = {}
        self.ca_path = folder / "ca.crt"
        self._authority.cert_pem.write_to_path(self.ca_path)
        self.server_certificate_path = folder / "server.crt"
        self.server_key_path = folder / "server.key"
        server = self._authority.issue_cert("127.0.0.1", "localhost", common_name="kube-apiserver")
        server.private_key_pem.write_to_path(self.server_key_path)
        for pem in server.cert_chain_pems:
            pem.write_to_path(self.server_certificate_path, append=True)
        # Signs ServiceAccount tokens; any private key will do, and trustme makes them with certificates only.
        self.service_account_key_path = folder / "service-account.key"
        signer = self._authority.issue_cert("service-account.invalid")
        signer.private_key_pem.write_to_path(self.service_account_key_path)
        self.token_file_path = folder / "tokens.csv"
        self._write_token_file()

    def client_tls(self, user: User | None = None) -> ssl.SSLContext:
        """A context that trusts this authority only and shows the user's certificate, if it has one."""
        context = ssl.create_default_context(cafile=self.ca_path)
        if user is not None and user.certificate_path is not None:
            context.load_cert_chain(user.certificate_path, user.key_path)
        return context

    def add_token_user(self, name: str, groups: tuple[str, ...] = ()) -> User:
        """A line in the token file; API servers that run already do not know it."""
        user = User(name, groups, token=secrets.token_urlsafe(24))
        self._token_users[name] = user
        self._write_token_file()
        return user

    def remove_token_user(self, user: User) -> bool:
        """Takes the line out; False where there is none. API servers that run already go on accepting the token."""
        removed = self._token_users.pop(user.name, None) is not None
        self._write_token_file()
        return removed

    def add_certificate_user(self, name: str, groups: tuple[str, ...] = ()) -> User:
        """A client certificate: its common name is the user, its organization the group (one at most here)."""
        if len(groups) > 1:
            raise ValueError(
                f"certificate user {name!r} with {len(groups)} groups: trustme writes one organization only"
            )
        groups = groups or ("no-group",)  # trustme would put its own name into the organization
        # The name is for Go alone, which refuses a certificate whose list of names is critical and empty.
        certificate = self._authority.issue_cert("user.invalid", common_name=name, organization_name=groups[0])
        user = User(name, groups)
        certificate_path = self._folder / f"{user.file_name}.crt"
        key_path = self._folder / f"{user.file_name}.key"
        certificate.cert_chain_pems[0].write_to_path(certificate_path)
        certificate.private_key_pem.write_to_path(key_path)
        return User(name, groups, certificate_path=certificate_path, key_path=key_path)

    def write_kubeconfig(self, path: Path, server_url: str, user: User, *, token_in_file: bool = False) -> Path:
        """A kubeconfig with this one server and user.

        With `token_in_file` it names a file beside it (suffix `.token`), which a test may rewrite to rotate the token.
        """
        if user.token is not None and token_in_file:
            token_path = path.with_suffix(".token")
            token_path.write_text(user.token)
            identity: dict[str, Any] = {"tokenFile": str(token_path)}
        elif user.token is not None:
            identity = {"token": user.token}
        else:
            identity = {"client-certificate": str(user.certificate_path), "client-key": str(user.key_path)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {"name": "test", "cluster": {"server": server_url, "certificate-authority": str(self.ca_path)}}
            ],
            "users": [{"name": user.name, "user": identity}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user.name}}],
        }
        path.write_text(json.dumps(config, indent=2) + "\n")
        return path

    def _write_token_file(self) -> None:
        lines = [
            f'{user.token},{user.name},{user.name},"{",".join(user.groups)}"\n' for user in self._token_users.values()
        ]
        self.token_file_path.write_text("".join(lines))
