"""``report.html``: one run for people, in one file that needs no network and no other file.

What it promises: the same journal and inventory give the same bytes; nothing that came from outside (cells, replies,
paths) can act, for everything that the template writes goes through ``plain`` and is then escaped; the browser is
told to fetch nothing and to run the one script and the one style that are named by their hash, and no others; all
but the table of rows is there without JavaScript.
"""

from __future__ import annotations

import base64
import hashlib
from array import array
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bulkjobs.engine.records import SUCCEEDED, AttemptRecord, Outcome, RunRecord
from bulkjobs.plain import plain
from bulkjobs.report import html_charts, html_words
from bulkjobs.report.columns import RESULT
from bulkjobs.report.figures import Figures
from bulkjobs.report.html_course import Course, course_of, fixed_rate, is_rate
from bulkjobs.report.html_rows import MOST_CHARACTERS, TableRows, json_chunks, json_for_script
from bulkjobs.report.private_files import Draft
from bulkjobs.report.share import shard_of, share, unlisted_by

if TYPE_CHECKING:
    from jinja2 import Environment

_TEXT = 2_000
"""Characters of any one text, at most."""

_NAMED = 100
"""Names that no row stands for, in each of their tables, at most."""

_MANY_ATTEMPTS = 5

_HANDFUL = 10
"""Sends of which an average says something."""

_HELD_BACK = ("invalid", "halted")
"""States of a run in which rows that were not sent waited because of others."""


def write_page(
    draft: Draft,
    run: RunRecord,
    summary: Mapping[str, Any],
    figures: Figures,
    rows: TableRows,
    attempts: Iterator[AttemptRecord],
) -> None:
    """Write the page into ``draft``. ``summary``: as ``summary_of`` gives it; ``rows`` and ``figures`` are complete."""
    environment = _environment()
    loader = environment.loader
    assert loader is not None
    style, wording, behaviour = (
        loader.get_source(environment, name)[0] for name in ("report.css", "wording.js", "report.js")
    )
    script = wording + behaviour
    context = {
        "policy": _policy(style, script),
        "style": _trusted(style),
        "script": _trusted(script),
        **_of_run(run, summary, figures),
        **_of_charts(run, summary, figures, attempts),
        **_of_table(rows, len(run.inventories)),
    }
    for part in environment.get_template("report.html").generate(context):
        draft.write(part.encode())


def _of_run(run: RunRecord, summary: Mapping[str, Any], figures: Figures) -> dict[str, object]:
    counts: Mapping[str, int] = summary["counts"]
    return {
        "run": summary,
        "shard": _part(run, summary["rows"]),
        "headline": html_words.headline(run, summary["rows"], counts),
        "outcomes": html_charts.by_outcome(counts),
        "segments": html_charts.outcome_bar(counts),
        "done": sum(counts[outcome] for outcome in SUCCEEDED),
        "errors": _errors(run, summary),
        "unread": [file for file in summary["inventories"] if file["state"] != "read"],
        "unlisted": unlisted_by(shard_of(run.facts), run.orphans),
        "named": _NAMED,
        "said_of_retries": html_words.retries(run.facts, figures.rows_by_attempts, counts[Outcome.ADOPTED]),
        "attempts": _by_attempts(figures),
    }


def _part(run: RunRecord, rows: int) -> str | None:
    """Which part of the inventory the run had, if it had a part."""
    shard = shard_of(run.facts)
    return None if shard is None else share(shard, rows, [file.rows for file in run.inventories])


def _errors(run: RunRecord, summary: Mapping[str, Any]) -> list[dict[str, object]]:
    """The groups of the summary, each with what to do. Rows that only waited because of others come after these."""
    groups = [
        {
            **group,
            "advice": html_words.advice(
                Outcome(group["outcome"]), group["http_status"], group["error_code"], run.state
            ),
        }
        for group in summary["errors"]
    ]
    return sorted(groups, key=lambda group: run.state in _HELD_BACK and group["outcome"] == Outcome.NOT_SENT)


def _of_charts(
    run: RunRecord, summary: Mapping[str, Any], figures: Figures, attempts: Iterator[AttemptRecord]
) -> dict[str, object]:
    again, throttled = array("q"), array("q")
    for attempt in attempts:
        if attempt.again:
            again.append(attempt.intended_at)
        if attempt.verdict == "throttled":
            throttled.append(attempt.ended_at or attempt.intended_at)
    fixed, course = fixed_rate(run.facts), course_of(run)
    return {
        "rate": html_charts.rate_chart(
            figures.sent_ms,
            np.asarray(again),
            np.asarray(throttled),
            fixed,
            course,
        ),
        "permitted": _permitted(run.facts, fixed, course),
        "average": figures.achieved_per_s if figures.sent >= _HANDFUL else None,
        "sent": figures.sent,
        "latency": html_charts.latency_chart(figures.elapsed_ms, summary["latency_ms"]),
    }


def _permitted(facts: Mapping[str, object], fixed: float | None, course: Course) -> dict[str, str | None]:
    """The permitted rate in figures: the fixed one and what it fell to, or the one that was found out by the end."""
    at_end = facts.get("rate_at_end")
    last = at_end if is_rate(at_end) else course[-1][1] if course else None
    is_other = last is not None and (fixed is None or last < fixed)
    return {
        "fixed": None if fixed is None else f"{fixed:,.4g}/s",
        "fell_to": f"{last:,.4g}/s" if fixed is not None and is_other else None,
        "found": f"{last:,.4g}/s" if fixed is None and is_other else None,
    }


def _of_table(rows: TableRows, files: int) -> dict[str, object]:
    table = rows.table()
    return {
        "table": {
            "rows": table.num_rows,
            "total": rows.total,
            "failed": rows.failed,
            "columns_left_out": rows.columns_left_out,
            "characters": MOST_CHARACTERS,
        },
        "table_head": _trusted(
            json_for_script(
                {
                    "rows": table.num_rows,
                    "files": files,
                    "ours": len(RESULT),
                    "names": [plain(name, MOST_CHARACTERS) for name in rows.names],
                    "succeeded": sorted(SUCCEEDED),
                }
            )
        ),
        "table_chunks": map(_trusted, json_chunks(table)),
    }


def _by_attempts(figures: Figures) -> list[tuple[str, int]]:
    """Rows by number of attempts, all large numbers in one."""
    counted = figures.rows_by_attempts
    few = [(str(number), counted[number]) for number in range(1, _MANY_ATTEMPTS) if counted[number]]
    many = sum(rows for number, rows in counted.items() if number >= _MANY_ATTEMPTS)
    return [*few, (f"{_MANY_ATTEMPTS} or more", many)] if many else few


@cache
def _environment() -> Environment:
    """Made once: its templates take 25 ms to compile, and nothing in it changes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # 60 ms, for reports only

    environment = Environment(
        loader=PackageLoader("bulkjobs.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["duration"] = lambda seconds: html_words.duration(seconds).replace(" ", "\u00a0")
    environment.filters["time"] = lambda iso: iso[:19].replace("T", " ") + " UTC"
    return environment


def _inert(value: object) -> object:
    """Whatever the template writes, before it is escaped: our own markup stays, other text is made ``plain``."""
    return plain(value, _TEXT) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _trusted(text: str) -> str:
    """Text that is our own, or was made safe for where it stands."""
    from markupsafe import Markup  # noqa: PLC0415  # with jinja2

    return Markup(text)  # noqa: S704  # style, script, and JSON of json_for_script


def _policy(style: str, script: str) -> str:
    """The page's content security policy: fetch nothing, run and draw with nothing but what is in this file."""
    sources = {"style-src": style, "script-src": script}
    allowed = [
        f"{name} 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for name, text in sources.items()
    ]
    rest = ["base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"]
    return "; ".join(["default-src 'none'", *allowed, *rest])
