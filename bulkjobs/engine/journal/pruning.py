"""Old runs out of the journal, and nothing that a later run rests on.

Kept, whatever its age: every open intent, all that is known of jobs (what was last seen, last applied, and whose
namespace it is), the last run of each endpoint and account, and runs whose report the next run is still to write.
Of an in-memory sandbox everything goes with its run: that service ended with the process, and its scope with it.
Inventories that a program's rows were written down in (``rows_from``) go with the last run that was made from them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkjobs.engine.journal.lock import Lock
from bulkjobs.engine.journal.schema import add_tables, check, connect, errors_of, make_ready
from bulkjobs.errors import StateError
from bulkjobs.inventory.row_source import is_ours

_OF_RUNS = ("files", "rows", "lookups", "removals", "orphans", "checks")
_OF_SANDBOXES = ("jobs", "applied", "claims", "learned", "attempts")
_SANDBOX = "sandbox:"


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted: run ids, oldest first, and how many rows and sends of theirs. Sizes of the file in bytes.

    ``kept``: runs as old that stay, each with the reason. ``open_intents``: those of deleted runs, which stay.
    ``not_shrunk``: why the file is as large as before, if it could not be made smaller. ``files``: what ``rows_from``
    had written for these runs.
    """

    run_ids: Sequence[str]
    rows: int
    attempts: int
    open_intents: int
    kept: Sequence[tuple[str, str]]
    bytes_before: int
    bytes_after: int
    not_shrunk: str | None = None
    files: Sequence[Path] = ()


def delete_older(path: Path, before_ms: int) -> Pruned:
    """Delete the runs that ended before ``before_ms`` (milliseconds since the epoch), then make the file smaller.

    Takes the lock (StateBusy). Raises StateError when there is no such file, or it cannot be read or written; then
    nothing was deleted.
    """
    if not path.is_file():
        raise StateError(f"state file {path}: does not exist", "name the one that the runs used with --state FILE")
    lock = Lock(path, "bulkjobs runs --delete-older")
    try:
        make_ready(path)
        with errors_of(path), contextlib.closing(connect(path)) as db:
            check(db, path)
            add_tables(db)
            return _delete(db, path, before_ms)
    finally:
        lock.release()


def _delete(db: sqlite3.Connection, path: Path, before_ms: int) -> Pruned:
    before = _size(path)
    gone, kept = _sort(db, before_ms)
    if not gone:
        return Pruned((), 0, 0, 0, kept, before, before)
    db.execute("CREATE TEMP TABLE gone (id INTEGER PRIMARY KEY, run_id TEXT)")
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany("INSERT INTO temp.gone VALUES (?, ?)", gone)
        files = _files_of_nobody_else(db)
        rows, attempts, open_intents = _delete_rows(db)
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back itself: a full disk
            db.execute("ROLLBACK")
        raise
    not_shrunk = _shrink(db)
    deleted = [file for file in files if _delete_file(file, before_ms)]
    run_ids = [run_id for _, run_id in gone]
    return Pruned(run_ids, rows, attempts, open_intents, kept, before, _size(path), not_shrunk, deleted)


def _sort(db: sqlite3.Connection, before_ms: int) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """Old runs: those that go, and those that stay with the reason."""
    gone, kept = [], []
    (newest,) = db.execute("SELECT max(id) FROM runs").fetchone()
    for key, run_id, endpoint, is_last, is_closed, is_reported in db.execute(
        "SELECT u.id, u.run_id, s.endpoint, u.id = (SELECT max(id) FROM runs WHERE scope = u.scope),"
        " u.ended_at IS NOT NULL, u.reported FROM runs u JOIN scopes s ON s.id = u.scope"
        " WHERE coalesce(u.ended_at, u.started_at) < ? ORDER BY u.id",
        (before_ms,),
    ):
        if not is_closed or not is_reported:
            kept.append((run_id, "its report is not written yet: the next run writes it"))
        elif key == newest:  # also because the next run's number is one more
            kept.append((run_id, "it is the last run"))
        elif is_last and not endpoint.startswith(_SANDBOX):
            kept.append((run_id, "it is the last run of its endpoint and account"))
        else:
            gone.append((key, run_id))
    return gone, kept


def _files_of_nobody_else(db: sqlite3.Connection) -> list[Path]:
    """The files of a program's rows that no run refers to but those that go."""
    found = db.execute(
        "SELECT DISTINCT location, sha256 FROM files f WHERE run IN (SELECT id FROM temp.gone) AND NOT EXISTS"
        " (SELECT 1 FROM files o WHERE o.location = f.location AND o.run NOT IN (SELECT id FROM temp.gone))"
    )
    return [Path(location) for location, sha256 in found if is_ours(Path(location), sha256)]


def _delete_file(path: Path, before_ms: int) -> bool:
    """Unless it was written again since: a program may be about to submit the same rows."""
    try:
        if path.lstat().st_mtime * 1000 >= before_ms:
            return False
        path.unlink()
    except OSError:  # it is gone, or another user's: no reason to fail, for the runs are deleted
        return False
    return True


def _delete_rows(db: sqlite3.Connection) -> tuple[int, int, int]:
    attempts = 0
    db.execute(
        "CREATE TEMP TABLE ended AS SELECT s.id FROM scopes s WHERE substr(s.endpoint, 1, ?) = ?"
        " AND NOT EXISTS (SELECT 1 FROM runs u WHERE u.scope = s.id AND u.id NOT IN (SELECT id FROM temp.gone))",
        (len(_SANDBOX), _SANDBOX),
    )
    for table in _OF_SANDBOXES:
        sql = f"DELETE FROM {table} WHERE scope IN (SELECT id FROM temp.ended)"  # noqa: S608  # our own words
        deleted = db.execute(sql).rowcount
        attempts += deleted if table == "attempts" else 0
    rows = 0
    for table in _OF_RUNS:
        sql = f"DELETE FROM {table} WHERE run IN (SELECT id FROM temp.gone)"  # noqa: S608  # our own words
        deleted = db.execute(sql).rowcount
        rows += deleted if table == "rows" else 0
    attempts += db.execute("DELETE FROM attempts WHERE closed = 1 AND run IN (SELECT id FROM temp.gone)").rowcount
    (open_intents,) = db.execute("SELECT count(*) FROM attempts WHERE run IN (SELECT id FROM temp.gone)").fetchone()
    db.execute("DELETE FROM runs WHERE id IN (SELECT id FROM temp.gone)")
    db.execute("DELETE FROM packs WHERE id NOT IN (SELECT pack FROM applied WHERE pack IS NOT NULL)")
    db.execute("DELETE FROM scopes WHERE id IN (SELECT id FROM temp.ended)")
    return rows, attempts, open_intents


def _shrink(db: sqlite3.Connection) -> str | None:
    """Give the space back. What was deleted is gone either way, so a failure is told, not raised."""
    try:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        return str(error)
    return None


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, path.with_name(path.name + "-wal")) if file.exists())
