"""What the journal keeps, and how a file is opened without ever trusting it blindly.

An attempt is *open* (``closed = 0``) from its intent until its end is known for certain; at most one is open per
name and scope, which the database itself enforces. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bulkjobs.engine.journal.lock import sync_folder
from bulkjobs.engine.journal.packs import register
from bulkjobs.errors import StateError

APPLICATION_ID = 0x626A6F62  # "bjob"
VERSION = 5
_SMALLEST_PAGE = 512  # bytes, of any SQLite database
_MAGIC = b"SQLite format 3\0"

_ELSEWHERE = "choose another file with --state FILE"

_DDL = """
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, account TEXT NOT NULL, UNIQUE (endpoint, account)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, scope INTEGER NOT NULL REFERENCES scopes,
    api TEXT NOT NULL, folder TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, exit_code INTEGER,
    started_at INTEGER NOT NULL, ended_at INTEGER, facts TEXT NOT NULL DEFAULT '{}',
    reported INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE files (
    run INTEGER NOT NULL, file INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, rows INTEGER NOT NULL,
    location TEXT NOT NULL, PRIMARY KEY (run, file)
) WITHOUT ROWID;
CREATE TABLE rows (
    run INTEGER NOT NULL, seq INTEGER NOT NULL, file INTEGER NOT NULL, line INTEGER NOT NULL, name TEXT,
    digest BLOB, outcome TEXT, job_id TEXT, status TEXT, http_status INTEGER, error_code TEXT, error TEXT,
    attempts INTEGER, first_sent_at INTEGER, finished_at INTEGER, elapsed_ms INTEGER,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE jobs (
    scope INTEGER NOT NULL, name TEXT NOT NULL, job_id TEXT NOT NULL, status TEXT, updated_date TEXT,
    digest BLOB, relation TEXT, seen_at INTEGER NOT NULL, run INTEGER NOT NULL, rules TEXT,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, run INTEGER NOT NULL, seq INTEGER, name TEXT NOT NULL,
    n INTEGER NOT NULL, digest BLOB NOT NULL, intended_at INTEGER NOT NULL, ended_at INTEGER, verdict TEXT,
    http_status INTEGER, code TEXT, message TEXT, trace_id TEXT, closed INTEGER NOT NULL DEFAULT 0,
    waited_ms INTEGER, kind TEXT NOT NULL DEFAULT 'create', job_id TEXT
);
CREATE UNIQUE INDEX one_open_attempt ON attempts (scope, name) WHERE closed = 0;
CREATE INDEX attempts_of_run ON attempts (run, seq);
CREATE INDEX rejected_attempts ON attempts (scope, name) WHERE verdict = 'rejected';
CREATE TABLE lookups (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,
    how TEXT NOT NULL, complete INTEGER NOT NULL, ids TEXT NOT NULL, relation TEXT, deleted INTEGER NOT NULL,
    decision TEXT NOT NULL
);
CREATE INDEX lookups_of_run ON lookups (run, seq);
CREATE TABLE applied (
    scope INTEGER NOT NULL, name TEXT NOT NULL, job_id TEXT NOT NULL, digest BLOB, pack INTEGER,
    place INTEGER, coming BLOB, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE packs (id INTEGER PRIMARY KEY, nodes BLOB NOT NULL);
CREATE TABLE claims (
    scope INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (scope, namespace, name)
) WITHOUT ROWID;
CREATE TABLE removals (
    run INTEGER NOT NULL, name TEXT NOT NULL, job_id TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT, detail TEXT,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE learned (scope INTEGER PRIMARY KEY, rate REAL NOT NULL, at INTEGER NOT NULL);
CREATE TABLE orphans (
    run INTEGER NOT NULL, name TEXT NOT NULL, outcome TEXT NOT NULL, job_id TEXT, detail TEXT,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
"""

_ADDED = """
CREATE TABLE IF NOT EXISTS checks (run INTEGER PRIMARY KEY, rules BLOB NOT NULL, shapes BLOB NOT NULL)
"""
"""What journals of this version may lack, since they are older; nothing is lost without it."""

PROVED = {
    "outcome": """CASE WHEN EXISTS (
        SELECT 1 FROM attempts a JOIN runs u ON u.id = rows.run
        WHERE a.scope = u.scope AND a.name = rows.name AND a.closed = 0
    ) THEN 'unresolved' ELSE 'not_sent' END""",
    "attempts": """(
        SELECT count(*) FROM attempts a WHERE a.run = rows.run AND a.seq = rows.seq
        AND (a.verdict IS NULL OR a.verdict NOT IN ('throttled', 'not_sent'))
    )""",
    "first_sent_at": "(SELECT min(a.intended_at) FROM attempts a WHERE a.run = rows.run AND a.seq = rows.seq)",
}
"""What its attempts prove of a row of ``rows`` without an outcome: an SQL expression for each column."""


def make_ready(path: Path) -> None:
    """Make sure that ``path`` is a regular file of ours that only its owner can read. Never follows a link.

    Only for the holder of the lock. A journal comes into being whole, under another name, and is then renamed: so a
    file that is empty, or gone while its write-ahead log is there, was damaged by somebody else. Raises StateError.
    """
    try:
        if not os.path.lexists(path):
            _create(path)
        _make_private(path)
    except OSError as error:
        why = "is a symbolic link, and links are not followed" if error.errno == errno.ELOOP else error.strerror
        raise StateError(f"state file {path}: cannot be opened: {why}", _ELSEWHERE) from None
    refuse_empty(path)


def refuse_empty(path: Path) -> None:
    """Raises StateError for a file of less than a page. To be asked before SQLite, which takes it for a new one.

    SQLite would also delete the write-ahead log beside it.
    """
    size = path.stat().st_size
    if not size:
        raise damaged(path, "it is empty")
    if size < _SMALLEST_PAGE:
        try:
            head = path.read_bytes()[: len(_MAGIC)]
        except OSError as error:
            raise StateError(f"state file {path}: cannot be read: {error.strerror}", _ELSEWHERE) from None
        if not _MAGIC.startswith(head):
            raise StateError(f"state file {path}: is not a bulkjobs journal", _ELSEWHERE)
        raise damaged(path, "it is cut short")


def _create(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    if os.path.lexists(log):
        raise damaged(path, f"it is gone, but its write-ahead log {log.name} is there")
    new = path.with_name(path.name + ".new")
    _clear(new)
    try:
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        with contextlib.closing(connect(new)) as connection:
            make_tables(connection)
        os.rename(new, path)
    except BaseException:
        _clear(new)
        raise
    sync_folder(path.parent)


def _clear(new: Path) -> None:
    """Remove what an earlier creation left when it was killed, or when the disk was full."""
    for suffix in ("", "-journal"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)


def make_tables(connection: sqlite3.Connection) -> None:
    """In one transaction, without a write-ahead log: the file is whole when it is committed.

    With a log, the tables would come into the file when the connection is closed, and SQLite does not tell when the
    disk is full then: a hollow file was renamed.
    """
    connection.execute("BEGIN IMMEDIATE")
    for statement in _DDL.split(";"):
        connection.execute(statement)
    add_tables(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _make_private(path: Path) -> None:
    """SQLite gives its side files the mode of the database."""
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StateError(f"state file {path}: is not a regular file", _ELSEWHERE)
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, every commit synced. Changes nothing in the file."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False, timeout=30)
    connection.isolation_level = None
    register(connection)
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that the file is a sound journal of this release, and open it for writing.

    Raises StateError as ``check`` does: there is never a fresh start in silence.
    """
    check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    add_tables(connection)


def add_tables(connection: sqlite3.Connection) -> None:
    """Add what the release that made this file did not know of yet."""
    connection.execute(_ADDED)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that the file is a sound journal of this release. Raises StateError; changes nothing.

    SQLite keeps no checksums of a database's pages. The full check (0.7 s for a million rows, the quick one 0.4 s)
    also compares the attempts, which must not be lost, with their indexes: name, scope and openness stand there again.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StateError(f"state file {path}: is not a bulkjobs journal", _ELSEWHERE)
    if version != VERSION:
        raise StateError(
            f"state file {path}: was written by another release (schema {version}, this one has {VERSION})",
            "use that release, or keep the file and start another with --state FILE",
        )
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, verdict)


def damaged(path: Path, detail: str) -> StateError:
    """The error for a journal that SQLite cannot read."""
    return StateError(
        f"state file {path}: is damaged: {detail}",
        "restore a copy of it; without one, move it away: the next run lists the jobs that exist before it "
        "creates any, but open attempts of the last run are then not known, so wait a minute first",
    )


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file and what to do."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.InterfaceError) as error:
        raise StateError(
            f"state file {path}: {error}", "free the disk or mend the file, then run the same command again"
        ) from None
    except (sqlite3.DatabaseError, ValueError, KeyError) as error:  # of a word or a text that cannot have been written
        raise damaged(path, str(error)) from None
