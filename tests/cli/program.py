"""The program, run as people run it: in this process where only its words matter, in one of its own else."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.nursery import shared

KEYS = {"NCLOUD_ACCESS_KEY_ID": "an-access-key-of-tests", "NCLOUD_SECRET_ACCESS_KEY": "a-secret-key-of-tests"}
HEADER = ("name", "bucket", "prefix", "fields", "filter", "target_bucket", "target_prefix")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. ``out`` and ``err`` are what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]
"""A command's words, as texts or paths."""


def write_csv(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def row(number: int, **cells: str) -> list[str]:
    """A sound row, but for ``cells``."""
    sound = {
        "name": f"job{number:03}",
        "bucket": "shop-raw",
        "prefix": f"in/{number}",
        "fields": "id:bigint, name:string",
        "filter": "",
        "target_bucket": "shop-clean",
        "target_prefix": f"out/{number}",
    }
    return list((sound | cells).values())


async def process(*words: str | Path, **environment: str) -> Ended:
    """The program as a process of its own, with nothing of the machine's settings."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    child = await shared().start(words, kept | environment)
    out, err = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode is not None
    return Ended(child.returncode, out.decode(), err.decode())
