"""Which API server is spoken to, and as whom?

In a pod that is the service account's token, which is read anew every minute because it is replaced; outside, what a
kubeconfig says: a token, a client certificate, or neither. A kubeconfig whose user is a program or a provider
(`exec`, `auth-provider`) is left to the official client: it knows them, and the 17 MiB that its import takes are
nothing to a command on a desk, and much to an operator.
"""

import base64
import os
import ssl
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yaml

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

__all__ = ["Credentials", "CredentialsError", "load", "namespace"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_SECONDS = 60.0  # the kubelet replaces a token well before it expires
DEFAULT_KUBECONFIG = "~/.kube/config"
PLUGINS = ("exec", "auth-provider")

Raw = dict[str, Any]


class CredentialsError(ValueError):
    """No API server can be spoken to with what there is; the message says what was found. Caught by commands."""


@dataclass(kw_only=True, slots=True)
class Credentials:
    """An address, how its certificate is checked, and who asks."""

    server: str
    tls: ssl.SSLContext | None
    server_name: str | None = None  # in the certificate, where it is another than the address
    proxy: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    plugin: "Configuration | None" = field(
        default=None, repr=False
    )  # the official client's, asked for each token
    _read_at: float = float("-inf")

    async def authorization(self) -> str | None:
        """The header that says who asks; None where the certificate does.

        Raises:
            CredentialsError: the token's file cannot be read.
        """
        if self.plugin is not None:
            found: str | None = await self.plugin.get_api_key_with_prefix(
                "BearerToken", alias="authorization"
            )
            return found
        if self.token_file is not None and time.monotonic() - self._read_at >= TOKEN_SECONDS:
            try:
                self.token, self._read_at = self.token_file.read_text().strip(), time.monotonic()
            except OSError as error:
                raise CredentialsError(f"the token's file cannot be read: {error}") from error
        return None if self.token is None else f"Bearer {self.token}"

    def forget(self) -> bool:
        """Have the token read anew at the next ask, for the server refused it; False where it is in no file."""
        self._read_at = float("-inf")
        return self.token_file is not None


async def load(kubeconfig: str | None = None, context: str | None = None) -> Credentials:
    """From a kubeconfig (the given one, or that of `KUBECONFIG`), else from the pod, else from the default kubeconfig.

    Raises:
        CredentialsError: there is none, or it names no cluster.
    """
    named = kubeconfig is not None or context is not None
    if not named and (SERVICE_ACCOUNT / "token").exists() and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _of_pod()
    config = _merged(_files(kubeconfig))
    cluster, user = _chosen(config, context)
    if any(key in user for key in PLUGINS):
        return await _of_plugin(kubeconfig, context)
    return _of_kubeconfig(cluster, user)


def namespace(kubeconfig: str | None = None, context: str | None = None) -> str:
    """The namespace that a context of a kubeconfig works in; "default" where it names none.

    Raises:
        CredentialsError: there is no kubeconfig, or no such context; those that there are, are told.
    """
    config = _merged(_files(kubeconfig))
    chosen = _named(config["contexts"], "context", context or config.get("current-context"))
    return str(chosen.get("namespace") or "default")


def _files(kubeconfig: str | None) -> list[Path]:
    paths = (kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG).split(os.pathsep)
    found = [path for name in paths if (path := Path(name).expanduser()).is_file()]
    if not found:
        raise CredentialsError(f"there is no kubeconfig at {', '.join(paths)}, and this is no pod")
    return found


def _of_pod() -> Credentials:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Credentials(
        server=server,
        tls=ssl.create_default_context(cafile=SERVICE_ACCOUNT / "ca.crt"),
        proxy=_proxy_of_environment(server),
        token_file=SERVICE_ACCOUNT / "token",
    )


def _of_kubeconfig(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Credentials:
    server = str(cluster["server"]).rstrip("/")
    token_file = user.get("tokenFile")
    return Credentials(
        server=server,
        tls=_tls(cluster, user) if server.startswith("https:") else None,
        server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url") or _proxy_of_environment(server),
        token=user.get("token"),
        token_file=Path(token_file) if token_file and not user.get("token") else None,
    )


async def _of_plugin(kubeconfig: str | None, context: str | None) -> Credentials:
    from kubernetes.aio import config as kubernetes_config  # noqa: PLC0415 - heavy, and seldom needed
    from kubernetes.aio.client import Configuration  # noqa: PLC0415

    configuration = Configuration()
    try:
        await kubernetes_config.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=configuration
        )
    except kubernetes_config.ConfigException as error:
        raise CredentialsError(f"the kubeconfig leads to no cluster: {error}") from error
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    return Credentials(
        server=configuration.host,
        tls=tls if configuration.verify_ssl else _unchecked(tls),
        proxy=configuration.proxy or _proxy_of_environment(configuration.host),
        plugin=configuration,
    )


def _merged(files: Sequence[Path]) -> Raw:
    """Several kubeconfigs as one: of what two of them name, the first one's counts (kubectl's rule)."""
    merged: Raw = {"clusters": [], "users": [], "contexts": []}
    for path in files:
        read = yaml.safe_load(path.read_text()) or {}
        for section in ("clusters", "users", "contexts"):
            merged[section] += [_with_paths(entry, path.parent) for entry in read.get(section) or []]
        if read.get("current-context"):
            merged.setdefault("current-context", read["current-context"])
    return merged


def _with_paths(entry: Mapping[str, Any], folder: Path) -> Raw:
    """Relative files are relative to the kubeconfig."""
    files = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {
        key: {name: str(folder / item) if name in files else item for name, item in (value or {}).items()}
        if key in ("cluster", "user")
        else value
        for key, value in entry.items()
    }


def _chosen(config: Mapping[str, Any], context: str | None) -> tuple[Raw, Raw]:
    name = context or config.get("current-context")
    chosen = _named(config["contexts"], "context", name)
    cluster = _named(config["clusters"], "cluster", chosen.get("cluster"))
    if not cluster.get("server"):
        raise CredentialsError(f"the kubeconfig's cluster {chosen.get('cluster')!r} has no server")
    return cluster, _named(config["users"], "user", chosen["user"]) if chosen.get("user") else {}


def _named(entries: Sequence[Mapping[str, Any]], kind: str, name: object) -> Raw:
    for entry in entries:
        if entry.get("name") == name:
            return dict(entry.get(kind) or {})
    known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
    raise CredentialsError(f"the kubeconfig has no {kind} {name!r}; it has {known}")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    tls = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"),
        cadata=base64.b64decode(authority).decode() if authority else None,
    )
    certificate, key = (_pem(user, name) for name in ("client-certificate", "client-key"))
    if certificate is not None:
        # `ssl` takes a file alone; both parts may stand in one.
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + (key or b""))
            file.flush()
            tls.load_cert_chain(file.name)
    return _unchecked(tls) if cluster.get("insecure-skip-tls-verify") else tls


def _pem(user: Mapping[str, Any], name: str) -> bytes | None:
    """A part of the client's certificate, which stands in the kubeconfig or in a file."""
    data, path = user.get(f"{name}-data"), user.get(name)
    if data:
        return base64.b64decode(data)
    return Path(path).read_bytes() if path else None


def _unchecked(tls: ssl.SSLContext) -> ssl.SSLContext:
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def _proxy_of_environment(address: str) -> str | None:
    """The proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name for an address."""
    url = urlsplit(address)
    if proxy_bypass(url.netloc):
        return None
    return getproxies().get(url.scheme)
