"""A plan as data: what would be done to each row and each job, and whether a saved plan still holds. Pure.

The document (``as_document``, ``plan --json``) has ``counts`` by action, ``eta_s``, ``rows`` (``line``, ``name``,
``action``, ``reason``, ``diff``) as ``design.md`` fixes them; further keys say whose plan it is, so that it can be
saved and held to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import msgspec

from bulkjobs.engine.expected_rate import NOT_KNOWN, ExpectedRate
from bulkjobs.engine.plan_rows import PlanRows
from bulkjobs.engine.planned import PENDING, Action
from bulkjobs.errors import UsageError
from bulkjobs.plain import plain

SCHEMA = 1
_MAKE_ONE = "make one with `bulkjobs plan … --out FILE`"
_NAMED = 5
"""Rows that are named in a refusal."""


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

    ``eta_s``: seconds; ``expected`` (the document's ``rate``: what it comes to, or where the search for it begins) and
    ``latency_s`` are what it was reckoned with; where no rate is known, for a service without a limit. ``narrow``: the
    concurrency, where that sets the pace and not the rate. ``read``: jobs that were read for it, since the journal does
    not know them as they are.
    """

    terms: Terms
    rows: PlanRows
    calls: Mapping[str, int] = field(default_factory=dict)
    eta_s: float = 0.0
    expected: ExpectedRate = NOT_KNOWN
    latency_s: float = 0.0
    owned: int = 0
    narrow: int | None = None
    read: int = 0

    def for_another_run(self) -> Plan:
        """The same for a run that knows nothing of this one's reads: it makes them, too."""
        return replace(self, calls={**self.calls, "getJob": self.calls["getJob"] + self.read})

    @property
    def counts(self) -> dict[str, int]:
        return {action.value: self.rows.counts[action] for action in Action}

    @property
    def pending(self) -> int:
        return sum(self.rows.counts[action] for action in PENDING)

    def head(self) -> dict[str, object]:
        """The document without its rows. Plain JSON values only."""
        terms = self.terms
        return {
            "schema": SCHEMA,
            "counts": self.counts,
            "eta_s": round(self.eta_s, 1),
            "calls": dict(self.calls),
            "rate": round(self.expected.rate or self.expected.start, 3),
            "latency_s": round(self.latency_s, 4),
            "endpoint": terms.endpoint,
            "account": terms.account,
            "api": terms.api,
            "namespace": terms.namespace,
            "prune": terms.prune,
            "inventories": [{"path": path, "sha256": sha256} for path, sha256 in terms.inventories],
        }

    def as_document(self) -> dict[str, object]:
        """The whole document in memory. A side of a difference that has nothing has no key."""
        return self.head() | {"rows": [msgspec.json.decode(line) for line in self.rows.lines()]}


class _SavedRow(msgspec.Struct, frozen=True, gc=False):
    """What a saved plan is held to, of each row."""

    name: str
    action: str
    digest: str | None = None
    job_id: str | None = None
    updated_date: str | None = None


class _SavedInventory(msgspec.Struct, frozen=True):
    sha256: str


class SavedPlan(msgspec.Struct, frozen=True):
    """A plan's document, as far as it is held to."""

    schema: int
    endpoint: str
    account: str
    api: str
    namespace: str
    prune: bool
    inventories: list[_SavedInventory]
    rows: list[_SavedRow]


def read_plan(path: Path) -> SavedPlan:
    """A saved plan. Raises UsageError for a file that is none."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=SavedPlan)
    except msgspec.ValidationError:
        saved = None
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or "not JSON"
        raise UsageError(f"--plan {path}: cannot be read: {why}", _MAKE_ONE) from None
    if saved is None or saved.schema != SCHEMA:
        raise UsageError(f"--plan {path}: is not a plan of this release", _MAKE_ONE)
    return saved


def what_changed(saved: SavedPlan, now: Plan) -> list[str]:
    """Why ``now`` is not the saved plan: inventory, target, state or service; nothing if it is the same."""
    told = []
    for key in ("endpoint", "account", "api", "namespace", "prune"):
        before, after = getattr(saved, key), getattr(now.terms, key)
        if before != after:
            told.append(f"{key}: it was {_quoted(before)}, now it is {_quoted(after)}")
    if [file.sha256 for file in saved.inventories] != [sha256 for _, sha256 in now.terms.inventories]:
        told.append("inventory: its bytes are others than those that were planned")
    left = {row.name: _held(row.action, row.digest, row.job_id, row.updated_date) for row in saved.rows}
    parts: list[str] = []
    differing = 0
    for row in now.rows:
        digest = None if row.digest is None else row.digest.hex()
        is_part = _held(row.action.value, digest, row.job_id, row.updated_date)
        was_part = left.pop(row.name, None)
        if was_part != is_part:
            differing += 1
            if len(parts) < _NAMED:
                parts.append(_part(row.name, was_part, is_part))
    parts += [_part(name, was_part, None) for name, was_part in islice(left.items(), _NAMED - len(parts))]
    differing += len(left)
    told += parts
    if differing > len(parts):
        told.append(f"and {differing - len(parts):,} more")
    return told


_Held = tuple[str, str | None, str | None, str | None]


def _held(action: str, digest: str | None, job_id: str | None, updated_date: str | None) -> _Held:
    """What a plan is held to, of a row: an unchanged one may change its date."""
    return action, digest, job_id, None if action == Action.UNCHANGED.value else updated_date


def _part(name: str, before: _Held | None, after: _Held | None) -> str:
    shown = plain(name, 100)
    if before is None or after is None:
        return f"{shown}: {'is new' if before is None else 'is not planned any more'}"
    if before[0] != after[0]:
        return f"{shown}: it was to {plain(before[0], 20)}, now it is to {after[0]} (state or service changed)"
    if before[1] != after[1]:
        return f"{shown}: its row is another (inventory or layout changed)"
    return f"{shown}: its job was changed on the service since"


def _quoted(value: object) -> str:
    return plain(msgspec.json.encode(value).decode("utf-8", "replace"), 200)
