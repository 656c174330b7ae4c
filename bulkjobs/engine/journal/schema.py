"""What the journal keeps, and how a file is opened without ever trusting it blindly.

An attempt is *open* (``closed = 0``) from its intent until its end is known for certain; at most one is open per
name and scope, which the database itself enforces. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from bulkjobs.errors import StateError

APPLICATION_ID = 0x626A6F62  # "bjob"
VERSION = 1

_DDL = """
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, account TEXT NOT NULL, UNIQUE (endpoint, account)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, scope INTEGER NOT NULL REFERENCES scopes,
    api TEXT NOT NULL, folder TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, exit_code INTEGER,
    started_at INTEGER NOT NULL, ended_at INTEGER, facts TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE files (
    run INTEGER NOT NULL, file INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (run, file)
) WITHOUT ROWID;
CREATE TABLE rows (
    run INTEGER NOT NULL, seq INTEGER NOT NULL, file INTEGER NOT NULL, line INTEGER NOT NULL, name TEXT,
    digest BLOB, outcome TEXT, job_id TEXT, status TEXT, http_status INTEGER, error_code TEXT, error TEXT,
    attempts INTEGER, first_sent_at INTEGER, finished_at INTEGER, elapsed_ms INTEGER,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE jobs (
    scope INTEGER NOT NULL, name TEXT NOT NULL, job_id TEXT NOT NULL, status TEXT, updated_date TEXT,
    digest BLOB, relation TEXT, seen_at INTEGER NOT NULL, run INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, run INTEGER NOT NULL, seq INTEGER, name TEXT NOT NULL,
    n INTEGER NOT NULL, digest BLOB NOT NULL, intended_at INTEGER NOT NULL, ended_at INTEGER, verdict TEXT,
    http_status INTEGER, code TEXT, message TEXT, trace_id TEXT, closed INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX one_open_attempt ON attempts (scope, name) WHERE closed = 0;
CREATE INDEX attempts_of_run ON attempts (run, seq);
CREATE TABLE orphans (
    run INTEGER NOT NULL, name TEXT NOT NULL, outcome TEXT NOT NULL, job_id TEXT, detail TEXT,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
"""


def create_private(path: Path) -> None:
    """Make sure that ``path`` is a regular file of ours that only its owner can read. Never follows a link.

    SQLite gives its side files the mode of the database, so the mode is set before anything is in it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"state file {path}: cannot be opened: {error.strerror}", "choose another place with --state FILE"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StateError(f"state file {path}: is not a regular file")
        os.fchmod(handle, 0o600)
    except OSError as error:
        raise StateError(f"state file {path}: {error.strerror}") from None
    finally:
        os.close(handle)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, safe against power loss: WAL, every commit synced."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False, timeout=30)
    connection.isolation_level = None
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables in an empty file, or make sure that the file is a sound journal of this release.

    Raises StateError for anything else: there is never a fresh start in silence.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (version, application, objects) == (0, 0, 0):
        connection.execute("BEGIN IMMEDIATE")
        for statement in _DDL.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        return
    if application != APPLICATION_ID:
        raise StateError(f"state file {path}: is not a bulkjobs journal", "choose another file with --state FILE")
    if version != VERSION:
        raise StateError(
            f"state file {path}: was written by another release (schema {version}, this one has {VERSION})",
            "use that release, or keep the file and start another with --state FILE",
        )
    (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if check != "ok":
        raise damaged(path, check)


def damaged(path: Path, detail: str) -> StateError:
    """The error for a journal that SQLite cannot read."""
    return StateError(
        f"state file {path}: is damaged: {detail}",
        "restore a copy of it; without one, move it away: the next run lists the jobs that exist before it "
        "creates any, but open attempts of the last run are then not known, so wait a minute first",
    )
