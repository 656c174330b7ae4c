"""Every run at a glance: what ``runs`` lists. Read without the lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bulkjobs.engine.journal.history import History
from bulkjobs.engine.journal.schema import PROVED, errors_of
from bulkjobs.engine.records import RunRecord

_COUNTS = """
SELECT run, CASE WHEN outcome IS NULL THEN {outcome} ELSE outcome END AS word, outcome IS NULL, count(*)
FROM rows GROUP BY 1, 2, 3
""".format_map(PROVED)


@dataclass(frozen=True, slots=True)
class RunOverview:
    """A run with its counts. ``counts`` by outcome; ``pending``: rows that a run at work has not ended yet.

    ``last_at``: milliseconds since the epoch, its end, or the last that a killed run is known to have done.
    """

    record: RunRecord
    exit_code: int | None
    rows: int
    counts: Mapping[str, int]
    pending: int
    last_at: int | None


class Overview(History):
    """The journal, asked for all its runs."""

    def overviews(self) -> list[RunOverview]:
        """All runs, oldest first. Costs one pass over all rows."""
        with errors_of(self._path):
            counts = self._db.execute(_COUNTS).fetchall()
            ends = {
                key: (exit_code, last_at)
                for key, exit_code, last_at in self._db.execute(
                    "SELECT u.id, u.exit_code, CASE WHEN u.ended_at IS NOT NULL THEN u.ended_at ELSE"
                    " (SELECT max(coalesce(a.ended_at, a.intended_at)) FROM attempts a WHERE a.run = u.id) END"
                    " FROM runs u"
                )
            }
        words: dict[int, dict[str, int]] = {}
        open_rows: dict[int, int] = {}
        for run, word, is_open, count in counts:
            of_run = words.setdefault(run, {})
            of_run[word] = of_run.get(word, 0) + count
            if is_open:
                open_rows[run] = open_rows.get(run, 0) + count
        found = []
        for past in self.runs():
            exit_code, last_at = ends.get(past.key, (None, None))
            of_run = words.get(past.key, {})
            total, pending = sum(of_run.values()), 0
            if past.record.state == "running":
                pending = open_rows.get(past.key, 0)
                of_run = self._ended(past.key)
            found.append(RunOverview(past.record, exit_code, total, of_run, pending, last_at))
        return found

    def _ended(self, key: int) -> dict[str, int]:
        with errors_of(self._path):
            return dict(
                self._db.execute(
                    "SELECT outcome, count(*) FROM rows WHERE run = ? AND outcome IS NOT NULL GROUP BY 1", (key,)
                )
            )
