"""What can be written into the journal: kinds of records, each with its statement."""

from __future__ import annotations

from enum import IntEnum

from bulkjobs.engine.journal import made, rows_at_once


class Kind(IntEnum):
    """The statements, in the order in which a batch runs them."""

    ROW = 0
    ROWS = 1
    CHECKED = 2
    MADE = 3
    ENDED = 4
    CLOSED = 5
    WITHDRAWN = 6
    JOB = 7
    FINISHED = 8
    ORPHAN = 9
    LOOKUP = 10
    CLAIM = 11
    APPLIED = 12
    COMING = 13
    FORGOTTEN = 14
    DISOWNED = 15
    REMOVED = 16
    LEARNED = 17
    INTENT = 18
    CHANGE = 19


SQL = {
    Kind.ROW: "INSERT INTO rows (run, seq, file, line, name, digest, outcome, error_code, error)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    Kind.ROWS: rows_at_once.SQL,
    Kind.CHECKED: "INSERT INTO rows (run, seq, file, line, name, digest) SELECT ?, seq, file, line, name, digest"
    " FROM rows WHERE run = ? AND seq >= ? AND seq < ?",
    Kind.MADE: made.SQL,
    Kind.ENDED: "UPDATE attempts SET ended_at = ?, verdict = ?, http_status = ?, code = ?, message = ?,"
    " trace_id = ?, closed = ?, waited_ms = ? WHERE id = ?",
    Kind.CLOSED: "UPDATE attempts SET closed = 1 WHERE id = ?",
    Kind.WITHDRAWN: "DELETE FROM attempts WHERE id = ?",
    Kind.JOB: "INSERT OR REPLACE INTO jobs (scope, name, job_id, status, updated_date, digest, relation, seen_at, run,"
    " rules) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    Kind.FINISHED: "UPDATE rows SET outcome = ?, job_id = ?, status = ?, http_status = ?, error_code = ?, error = ?,"
    " attempts = ?, first_sent_at = ?, finished_at = ?, elapsed_ms = ? WHERE run = ? AND seq = ?",
    Kind.ORPHAN: "INSERT OR REPLACE INTO orphans (run, name, outcome, job_id, detail) VALUES (?, ?, ?, ?, ?)",
    Kind.LOOKUP: "INSERT INTO lookups (run, seq, name, at, how, complete, ids, relation, deleted, decision)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    Kind.CLAIM: "INSERT OR IGNORE INTO claims (scope, namespace, name) SELECT ?, ?, name FROM rows"
    " WHERE run = ? AND digest IS NOT NULL",
    Kind.APPLIED: "INSERT OR REPLACE INTO applied (scope, name, job_id, digest, pack, place) VALUES (?, ?, ?, ?, ?, ?)",
    Kind.COMING: "INSERT INTO applied (coming, scope, name, job_id) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET coming = excluded.coming",
    Kind.FORGOTTEN: "DELETE FROM jobs WHERE scope = ? AND name = ?",
    Kind.DISOWNED: "DELETE FROM applied WHERE scope = ? AND name = ?",
    Kind.REMOVED: "INSERT OR REPLACE INTO removals (run, name, job_id, outcome, code, detail)"
    " VALUES (?, ?, ?, ?, ?, ?)",
    Kind.LEARNED: "INSERT OR REPLACE INTO learned VALUES (?, ?, ?)",
    Kind.INTENT: "INSERT INTO attempts (id, scope, run, seq, name, n, digest, intended_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    Kind.CHANGE: "INSERT INTO attempts (id, scope, run, seq, name, n, digest, intended_at, kind, job_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
}
