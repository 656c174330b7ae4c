"""report.html as bytes: one file, the same twice, nothing fetched, nothing from outside that could act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.engine.records import AttemptRecord, Outcome, RowRecord, RunRecord
from bulkjobs.report.render import render
from bulkjobs.settings import Shard

from .made import START, Report, created, csv_bytes, inventory, rejected, rendered, rows_of, run_of

HOSTILE = '</script><!--<script><img src=x onerror="canary=1">&\u2028\u202e\x1b[31m\x00=1+1'


class _Read(HTMLParser):
    """What a page is made of: its tags with their attributes, and the texts of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self.said = ""
        self._in: dict[str, str | None] | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = dict(attrs) if tag in ("script", "style") else None
        if self._in is not None:
            self.raw.append((self._in, ""))

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in is None:
            self.said += data
        else:
            self.raw[-1] = (self._in, self.raw[-1][1] + data)


def page_of(report: Report) -> str:
    return report.bytes_of("report.html").decode()


def said_by(report: Report) -> str:
    return " ".join(_Read(page_of(report)).said.split())


def rows_in(report: Report) -> list[dict[str, Any]]:
    """The rows that the page's table gets, each by column."""
    scripts = _Read(page_of(report)).raw
    head = next(json.loads(text) for attributes, text in scripts if attributes.get("id") == "table")
    rows: list[dict[str, Any]] = []
    for attributes, text in scripts:
        if attributes.get("class") == "rows":
            columns = [
                part if isinstance(part, list) else [None if at is None else part["d"][at] for at in part["i"]]
                for part in json.loads(text)
            ]
            rows += [dict(zip(head["names"], row, strict=True)) for row in zip(*columns, strict=True)]
    assert head["rows"] == len(rows)
    return rows


@pytest.fixture
def hostile(tmp_path: Path) -> Report:
    """A run in which every text that comes from outside is hostile."""
    record = inventory(tmp_path / "in.csv", csv_bytes(["a", HOSTILE.replace("\x00", "")], ["x", HOSTILE], ["y", "z"]))
    record = type(record)(HOSTILE, record.sha256, 2, record.location)
    rows = [
        rejected(0, 2, HOSTILE, name=HOSTILE, error_code=HOSTILE, status=HOSTILE),
        created(0, 3, name=HOSTILE, job_id=HOSTILE),
    ]
    gone = type(record)(HOSTILE + "2", "00", 2, str(tmp_path / "gone"))
    orphan = dict.fromkeys(("name", "outcome", "job_id", "detail"), HOSTILE)
    run = run_of(
        record,
        gone,
        state="halted",
        reason=HOSTILE,
        endpoint=HOSTILE,
        account=HOSTILE,
        orphans=[orphan],
        api=HOSTILE,
        removals=[{**orphan, "code": HOSTILE}],
    )
    return rendered(run, [*rows, rejected(1, 2, HOSTILE)], tmp_path / "out")


def test_a_hostile_text_adds_no_element_and_no_attribute(hostile: Report) -> None:
    tags = _Read(page_of(hostile)).tags
    assert {tag for tag, _ in tags}.isdisjoint({"img", "iframe", "object", "embed", "base", "form", "style/"})
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]
    kinds = [attributes.get("type") for tag, attributes in tags if tag == "script"]
    assert [kind for kind in kinds if kind != "application/json"] == [None], "one script of ours"


def test_a_hostile_text_is_shown_as_what_it_is_with_its_invisible_characters_as_escapes(hostile: Report) -> None:
    page = page_of(hostile)
    shown = '</script><!--<script><img src=x onerror="canary=1">&\\u2028\\u202e\\x1b[31m\\x00=1+1'
    assert _Read(page).said.count(shown) >= 6
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]", page)


def test_the_embedded_rows_hold_nothing_that_could_end_their_script(hostile: Report) -> None:
    for attributes, text in _Read(page_of(hostile)).raw:
        if attributes.get("type") == "application/json":
            assert not set(text) & set("<>&\u2028\u2029")
    names = {row["name"] for row in rows_in(hostile)}
    assert any(str(name).startswith("</script><!--<script>") for name in names)


def test_nothing_is_fetched_from_anywhere(hostile: Report) -> None:
    read = _Read(page_of(hostile))
    links = {attributes["href"] for _, attributes in read.tags if "href" in attributes}
    assert links <= {"#rows", "results.csv", "results.parquet", "retry.csv", "summary.json"}
    assert not [attributes for _, attributes in read.tags if attributes.keys() & {"src", "srcset", "action", "data"}]
    ours = "".join(text for attributes, text in read.raw if attributes.get("type") != "application/json")
    for word in ("http:", "https:", "//cdn", "url(", "@import", "fetch(", "XMLHttpRequest", "innerHTML", "eval("):
        assert word not in ours


def test_the_policy_allows_the_one_style_and_the_one_script_by_their_hash(tmp_path: Path) -> None:
    read = _Read(page_of(rendered(run_of(), [created(0, 2)], tmp_path / "out")))
    (policy,) = (a["content"] for _, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    ours = [text for attributes, text in read.raw if attributes.get("type") != "application/json"]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in ours]
    assert [rules["style-src"], rules["script-src"]] == hashes


def test_it_is_the_same_whoever_renders_it_and_when(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["a"], *([f"한 {n % 7}"] for n in range(300))), 300)
    rows = [(created if n % 3 else rejected)(0, n + 2) for n in range(300)]
    attempts = [AttemptRecord(True, START + 900, START + 950, "throttled")]

    def again(folder: str) -> bytes:
        render(run_of(record), rows_of(rows), tmp_path / folder, lambda: iter(attempts))
        return (tmp_path / folder / "report.html").read_bytes()

    first = again("1")
    assert again("1") == first
    assert again("2") == first


def test_the_summary_has_its_sha256(tmp_path: Path) -> None:
    report = rendered(run_of(), [created(0, 2)], tmp_path / "out")
    assert report.summary["files"]["report.html"] == hashlib.sha256(report.bytes_of("report.html")).hexdigest()


def test_it_says_what_happened_and_how_often(tmp_path: Path) -> None:
    rows = [created(0, 2), created(0, 3, outcome=Outcome.ADOPTED, attempts=2), rejected(0, 4)]
    said = said_by(rendered(run_of(facts={"throttles": 1}), rows, tmp_path / "out"))
    for sentence in (
        "2 of 3 rows have their job; 1 does not: 1 rejected.",
        "1 row took more than one attempt.",
        "1 job was adopted: the reply to a create was lost, and the job was found by name instead of made again.",
        "The service asked 1 time to slow down: a send that is refused so is no attempt.",
        "the bucket does not exist",
        "Correct the row in the inventory, or in retry.csv beside this page, and submit it again.",
    ):
        assert sentence in said


def test_it_says_which_shard_it_is_of(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", b"a\n1\n2\n3\n", 3)
    said = said_by(rendered(run_of(record, facts={"shard": "2/4"}), [created(0, 3)], tmp_path / "out"))
    assert "bulkjobs run run-1, shard 2/4" in said
    assert "Shard2/4: 1 of 3 rows" in said
    assert "Shard" not in said_by(rendered(run_of(record), [created(0, 3)], tmp_path / "whole"))


def test_of_an_invalid_inventory_the_invalid_rows_come_first_however_few(tmp_path: Path) -> None:
    rows = [RowRecord(0, n, None, Outcome.NOT_SENT) for n in range(9)]
    rows.append(RowRecord(0, 9, None, Outcome.INVALID, error_code="bad-field", error="no such type"))
    said = said_by(rendered(run_of(state="invalid"), rows, tmp_path / "out"))
    assert "Nothing was sent: 1 of 10 rows has errors." in said
    causes = said.partition("What did not succeed")[2]
    assert causes.index("1 invalid bad-field no such type") < causes.index("9 not sent")


def test_names_without_a_row_are_listed_up_to_a_hundred(tmp_path: Path) -> None:
    names = [{"name": f"old_{n}", "outcome": "adopted", "job_id": f"j{n}", "detail": None} for n in range(103)]
    said = said_by(rendered(run_of(orphans=names), [created(0, 2)], tmp_path / "out"))
    assert "old_99adoptedj99" in said
    assert "old_100" not in said
    assert "3 more are in summary.json." in said


@pytest.mark.parametrize(("state", "took"), [("killed", "Tookat least 2.5"), ("halted", "Took2.5")])
def test_of_a_killed_run_only_the_least_that_it_took_is_known(tmp_path: Path, state: str, took: str) -> None:
    assert took in said_by(rendered(run_of(state=state), [created(0, 2)], tmp_path / "out"))


def test_a_name_of_another_shard_is_not_called_unlisted(tmp_path: Path) -> None:
    names = [{"name": name, "outcome": "adopted", "job_id": name, "detail": None} for name in ("a1", "a2", "a3")]
    ours = {each["name"] for each in names if Shard(1, 2).holds(str(each["name"]))}
    assert len(ours) in (1, 2)
    page = rendered(run_of(orphans=names, facts={"shard": "1/2"}), [created(0, 2)], tmp_path / "out")
    listed, _, others = said_by(page).partition("Names of other shards than 1/2, or that the inventory does not list")
    assert ours == {name for name in ("a1", "a2", "a3") if f"{name}adopted" in listed}
    assert {"a1", "a2", "a3"} - ours == {name for name in ("a1", "a2", "a3") if f"{name}adopted" in others}
    whole = said_by(rendered(run_of(orphans=names), [created(0, 2)], tmp_path / "whole"))
    assert ("Names that the inventory does not list" in whole, "other shards" in whole) == (True, False)


def test_it_says_which_file_it_could_not_read(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", b"a\n1\n", 1)
    (tmp_path / "in.csv").write_bytes(b"a\n2\n")
    assert "in.csv has changed since the run, so its columns are not shown here." in said_by(
        rendered(run_of(record), [created(0, 2)], tmp_path / "out")
    )


@pytest.mark.parametrize(
    "run",
    [run_of(), run_of(state="killed", ended_at=None, facts={}), run_of(state="invalid"), run_of(facts={"x": "y"})],
)
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [created(0, 2, first_sent_at=None, finished_at=None, elapsed_ms=None, attempts=0, outcome=Outcome.EXISTING)],
        [created(0, 2, elapsed_ms=0)],
        [rejected(0, n, error_code=str(n)) for n in range(60)],
        [RowRecord(7, 1, None, Outcome.INVALID)],
    ],
)
def test_any_run_has_a_page(run: RunRecord, rows: list[RowRecord], tmp_path: Path) -> None:
    report = rendered(run, rows, tmp_path / "out")
    assert page_of(report).rstrip().endswith("</html>")
    assert len(rows_in(report)) == len(rows)


def test_a_permitted_rate_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    for rate in (0, -1.0, None, "fast", float("nan"), float("inf")):
        rendered(run_of(facts={"rate_permitted": rate}), [created(0, 2)], tmp_path / "out")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"rate_permitted": 5.0}, "5/s permitted."),
        ({"rate_permitted": 5.0, "rate_at_end": 2.5}, "5/s permitted, which the service had brought down to 2.5/s"),
        ({"rate_auto": True, "rate_course": [[0, 4.0], [3, 9.0]]}, ", 9/s permitted at the end, as far as the service"),
        ({"rate_auto": True, "rate_course": [[0, 9.0]], "rate_at_end": 8.5}, ", 8.5/s permitted at the end"),
        ({"rate_auto": True, "rate_course": "x"}, "on average."),
        ({"rate_auto": True, "rate_course": [[0, -1], [None, 3], 7, [0], ["a", "b"]]}, "on average."),
    ],
)
def test_the_permitted_rate_is_told_as_it_was(tmp_path: Path, facts: dict[str, object], said: str) -> None:
    rows = [created(0, line) for line in range(2, 902, 50)]
    assert said in _of_the_rate(rendered(run_of(facts=facts), rows, tmp_path / "out"))


def test_of_a_handful_of_sends_no_average_is_told(tmp_path: Path) -> None:
    two, far = [created(0, 2), created(0, 3)], [created(0, 2), created(0, 900)]
    assert "2 sent, 5/s permitted." in _of_the_rate(rendered(run_of(), two, tmp_path / "two"))
    assert "2 sent, 5/s permitted." in _of_the_rate(rendered(run_of(), far, tmp_path / "far"))


def _of_the_rate(report: Report) -> str:
    """The sentence above the rate's chart."""
    return re.sub(r"<[^>]*>", "", page_of(report).partition('id="rate-title"')[2].partition("</p>")[0])


def test_retries_and_throttles_are_drawn(tmp_path: Path) -> None:
    attempts = [
        AttemptRecord(False, START, START + 40, "throttled"),
        AttemptRecord(True, START + 900, START + 950, "created"),
        AttemptRecord(True, START + 990, None, None),
    ]

    def given() -> Iterator[AttemptRecord]:
        return iter(attempts)

    render(run_of(), rows_of([created(0, 0)]), tmp_path / "out", given)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "throttled 1 time</title>" in page
    assert "2 of them sent again</title>" in page


def test_jinja_is_not_imported_before_a_report_is_written() -> None:
    program = "import sys, bulkjobs.library; assert 'jinja2' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
