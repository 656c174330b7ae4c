"""The canary: keys that nobody else has, and a search for them in everything that a run leaves behind."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

ACCESS_KEY = "CanaryAccess7Qw3rTzU8i0P"
SECRET_KEY = "CanarySecret/Zx81+4bNmKlJhGfDsA9%=canary"
ENVIRONMENT = {"NCLOUD_ACCESS_KEY_ID": ACCESS_KEY, "NCLOUD_SECRET_ACCESS_KEY": SECRET_KEY}


def leaks(texts: Mapping[str, bytes], folders: Iterable[Path], seen: Iterable[str]) -> list[str]:
    """Where a key or a signature can be read: names of ``texts`` and files under ``folders``; nowhere, if all is well.

    ``seen``: the signatures and keys that the server saw. Files are read raw, the journal's side files too.
    """
    needles = {form for secret in {ACCESS_KEY, SECRET_KEY, *seen} for form in _forms(secret)}
    found = []
    for where, content in (*texts.items(), *_files(folders)):
        found += [f"{where}: {needle.decode()}" for needle in needles if needle in content]
    return found


def _forms(secret: str) -> set[bytes]:
    """The secret as it stands, in a URL, in JSON, in hex and in Base64."""
    raw = secret.encode()
    return {
        raw,
        quote(secret, safe="").encode(),
        secret.replace("/", "\\/").encode(),
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"=")[:-1],
    }


def _files(folders: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
