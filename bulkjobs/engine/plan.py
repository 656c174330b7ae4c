"""A plan as data: what would be done to each row and each job, and whether a saved plan still holds. Pure.

The document (``as_document``, ``plan --json``) has ``counts`` by action, ``eta_s``, ``rows`` (``line``, ``name``,
``action``, ``reason``, ``diff``) as ``design.md`` fixes them; further keys say whose plan it is, so that it can be
saved and held to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from bulkjobs.engine.three_way import FieldChange
from bulkjobs.errors import UsageError
from bulkjobs.plain import plain

SCHEMA = 1
_MAKE_ONE = "make one with `bulkjobs plan … --out FILE`"
_NAMED = 5
"""Rows that are named in a refusal."""


class Action(StrEnum):
    """What is to be done (a contract: scripts use these words)."""

    CREATE = "create"
    UNCHANGED = "unchanged"
    UPDATE = "update"
    CONFLICT = "conflict"
    DELETE = "delete"
    KEEP = "keep"
    """A job that the inventory no longer lists, and that is not deleted: it runs, or was edited by hand."""


PENDING = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
"""Actions that send something."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One row, or, without ``file`` and ``line``, one job that no row lists. ``digest``: of the row's definition.

    ``updated_date``: the job's, as it was when the plan was made.
    """

    file: str | None
    line: int | None
    name: str
    action: Action
    reason: str | None = None
    diff: Sequence[FieldChange] = ()
    digest: bytes | None = None
    job_id: str | None = None
    updated_date: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose plan it is. ``inventories``: path and SHA-256 of each file."""

    endpoint: str
    account: str
    api: str
    namespace: str
    prune: bool
    inventories: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """``calls``: how many of each kind are to be made. ``owned``: jobs that this namespace has made, for the limit.

    ``eta_s``: seconds; ``rate`` (sends a second) and ``latency_s`` are what it was reckoned with.
    """

    terms: Terms
    rows: Sequence[Planned]
    calls: Mapping[str, int] = field(default_factory=dict)
    eta_s: float = 0.0
    rate: float = 0.0
    latency_s: float = 0.0
    owned: int = 0

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(row.action for row in self.rows)
        return {action.value: found[action] for action in Action}

    @property
    def pending(self) -> int:
        return sum(row.action in PENDING for row in self.rows)

    def of(self, action: Action) -> list[Planned]:
        return [row for row in self.rows if row.action is action]

    def as_document(self) -> dict[str, object]:
        """Plain JSON values only. A side of a difference that has nothing has no key."""
        terms = self.terms
        return {
            "schema": SCHEMA,
            "counts": self.counts,
            "eta_s": round(self.eta_s, 1),
            "calls": dict(self.calls),
            "rate": round(self.rate, 3),
            "latency_s": round(self.latency_s, 4),
            "endpoint": terms.endpoint,
            "account": terms.account,
            "api": terms.api,
            "namespace": terms.namespace,
            "prune": terms.prune,
            "inventories": [{"path": path, "sha256": sha256} for path, sha256 in terms.inventories],
            "rows": [_row(row) for row in self.rows],
        }


def estimate(calls: Mapping[str, int], rate: float, latency_s: float, concurrency: int, settle_s: float) -> float:
    """Seconds for ``calls``: as many as the rate permits, or as answers come in; ``settle_s`` where a look waits."""
    total = sum(calls.values())
    if not total:
        return 0.0
    waits = settle_s if calls.get("lookup") else 0.0
    return max(total / rate, total * latency_s / concurrency) + latency_s + waits


def _row(row: Planned) -> dict[str, object]:
    return {
        "file": row.file,
        "line": row.line,
        "name": row.name,
        "action": row.action.value,
        "reason": row.reason,
        "diff": [_difference(change) for change in row.diff],
        "digest": None if row.digest is None else row.digest.hex(),
        "job_id": row.job_id,
        "updated_date": row.updated_date,
    }


def _difference(change: FieldChange) -> dict[str, object]:
    found: dict[str, object] = {"field": change.label, "path": change.path, "side": change.side.value}
    if change.there is not UNSET:
        found["there"] = change.there
    if change.wanted is not UNSET:
        found["wanted"] = change.wanted
    return found


def read_plan(path: Path) -> Mapping[str, Any]:
    """A saved plan. Raises UsageError for a file that is none."""
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or "not JSON"
        raise UsageError(f"--plan {path}: cannot be read: {why}", _MAKE_ONE) from None
    rows = document.get("rows") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or document.get("schema") != SCHEMA:
        raise UsageError(f"--plan {path}: is not a plan of this release", _MAKE_ONE)
    return document  # type: ignore[no-any-return]  # a dict, as was just seen


def what_changed(saved: Mapping[str, Any], now: Plan) -> list[str]:
    """Why ``now`` is not the saved plan: inventory, target, state or service; nothing if it is the same."""
    fresh = now.as_document()
    told = []
    for key in ("endpoint", "account", "api", "namespace", "prune"):
        if saved.get(key) != fresh[key]:
            told.append(f"{key}: it was {_quoted(saved.get(key))}, now it is {_quoted(fresh[key])}")
    if _hashes(saved) != _hashes(fresh):
        told.append("inventory: its bytes are others than those that were planned")
    before, after = _by_name(saved), _by_name(fresh)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    told += [_part(name, before.get(name), after.get(name)) for name in names[:_NAMED]]
    if len(names) > _NAMED:
        told.append(f"and {len(names) - _NAMED} more")
    return told


_Kept = tuple[Any, ...]


def _hashes(document: Mapping[str, Any]) -> list[Any]:
    files = document.get("inventories")
    return [file.get("sha256") for file in files if isinstance(file, dict)] if isinstance(files, list) else []


def _by_name(document: Mapping[str, Any]) -> dict[str, _Kept]:
    """What a plan is held to, of each row that asks for something: an unchanged one may change its date."""
    return {
        str(row.get("name")): tuple(row.get(key) for key in ("action", "digest", "job_id", "updated_date"))
        if row.get("action") != Action.UNCHANGED.value
        else (Action.UNCHANGED.value, row.get("digest"), row.get("job_id"), None)
        for row in document["rows"]
    }


def _part(name: str, before: _Kept | None, after: _Kept | None) -> str:
    shown = plain(name, 100)
    if before is None or after is None:
        return f"{shown}: {'is new' if before is None else 'is not planned any more'}"
    if before[0] != after[0]:
        return f"{shown}: it was to {before[0]}, now it is to {after[0]} (state or service changed)"
    if before[1] != after[1]:
        return f"{shown}: its row is another (inventory or layout changed)"
    return f"{shown}: its job was changed on the service since"


def _quoted(value: object) -> str:
    return plain(msgspec.json.encode(value).decode("utf-8", "replace"), 200)
