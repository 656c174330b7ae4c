"""Certificates made for one test run by the ``openssl`` command: one that is right, and three that are not."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[ca]
default_ca = own
[own]
database = {0}/index
serial = {0}/serial
new_certs_dir = {0}
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""
_PAST = ("20200101000000Z", "20200102000000Z")
_WIDE = ("20200101000000Z", "20991231000000Z")


@dataclass(frozen=True, slots=True)
class Certificates:
    """``authority``: a PEM file to trust. Each ``context`` is a server's."""

    authority: Path
    folder: Path

    def context(self, which: str) -> ssl.SSLContext:
        """``good``, ``wrong-host``, ``expired``, or ``unknown`` (made by an authority that nobody trusts)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{which}.pem", self.folder / f"{which}.key")
        return context


def make_certificates(folder: Path) -> Certificates:
    """All of them, in ``folder``. Takes about a tenth of a second."""
    for authority in ("trusted", "stranger"):
        _openssl(
            "req", "-x509", *_new_key(folder, authority), "-out", f"{folder}/{authority}.pem",
            "-subj", f"/CN={authority} test authority", "-days", "2",
        )  # fmt: skip
    _issue(folder, "good", "trusted", "IP:127.0.0.1", _WIDE)
    _issue(folder, "wrong-host", "trusted", "DNS:elsewhere.example", _WIDE)
    _issue(folder, "expired", "trusted", "IP:127.0.0.1", _PAST)
    _issue(folder, "unknown", "stranger", "IP:127.0.0.1", _WIDE)
    return Certificates(folder / "trusted.pem", folder)


def _issue(folder: Path, name: str, authority: str, host: str, days: tuple[str, str]) -> None:
    (folder / "config").write_text(_CONFIG.format(folder))
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    _openssl(
        "req", *_new_key(folder, name), "-out", f"{folder}/{name}.csr", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName={host}",
    )  # fmt: skip
    _openssl(
        "ca", "-batch", "-notext", "-config", f"{folder}/config", "-in", f"{folder}/{name}.csr",
        "-out", f"{folder}/{name}.pem", "-cert", f"{folder}/{authority}.pem", "-keyfile", f"{folder}/{authority}.key",
        "-startdate", days[0], "-enddate", days[1],
    )  # fmt: skip


def _new_key(folder: Path, name: str) -> tuple[str, ...]:
    key = f"{folder}/{name}.key"
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
