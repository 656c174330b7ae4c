"""A plan as a document: what scripts read, and what a saved one is held to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from bulkjobs.engine.plan import Plan, SavedPlan, Terms, read_plan, what_changed
from bulkjobs.engine.plan_rows import PlanRows
from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.three_way import FieldChange, Side
from bulkjobs.errors import UsageError

TERMS = Terms("https://a", "default", "2025-03", "jobs.csv", False, (("jobs.csv", "00"),))


def row(name: str, action: Action = Action.CREATE, **more: Any) -> Planned:
    return Planned("jobs.csv", 2, name, action, digest=b"\x01\xff", **more)


def plan(*rows: Planned, **terms: Any) -> Plan:
    kept = PlanRows()
    for each in rows:
        kept.add(each)
    return Plan(replace(TERMS, **terms), kept)


def document(made: Plan) -> Mapping[str, Any]:
    """As scripts read it."""
    found: Mapping[str, Any] = json.loads(json.dumps(made.as_document()))
    return found


def saved(made: Plan, **changes: object) -> SavedPlan:
    """As it comes back from a file."""
    return msgspec.json.decode(json.dumps({**document(made), **changes}), type=SavedPlan)


_TEXT = json.dumps(plan(row("n")).as_document())


class TestDocument:
    def test_counts_have_every_action_and_pending_is_what_sends_something(self) -> None:
        made = plan(*(row(f"n{number}", action) for number, action in enumerate(Action)), row("n9", Action.UPDATE))
        assert made.counts == {"create": 1, "unchanged": 1, "update": 2, "conflict": 1, "delete": 1, "keep": 1}
        assert made.pending == 4
        assert [each.name for each in made.rows.of(Action.UPDATE)] == ["n2", "n9"]

    def test_a_side_of_a_difference_that_has_nothing_has_no_key(self) -> None:
        sides = [(UNSET, "b"), ("a", UNSET), (None, None)]
        diff = [FieldChange("filter.value", "nodes[1]", there, wanted, Side.HERE) for there, wanted in sides]
        (made,) = document(plan(row("n", Action.UPDATE, diff=diff)))["rows"]
        same = {"field": "filter.value", "path": "nodes[1]", "side": "changed here"}
        assert made["diff"] == [same | {"wanted": "b"}, same | {"there": "a"}, same | {"there": None, "wanted": None}]
        assert (made["digest"], made["action"], made["line"]) == ("01ff", "update", 2)

    def test_a_job_that_no_row_lists_has_neither_file_nor_line_nor_digest(self) -> None:
        removal = Planned(None, None, "n", Action.DELETE, "no row lists it any more", job_id="j", updated_date="u")
        (made,) = document(plan(removal))["rows"]
        assert (made["file"], made["line"], made["digest"], made["job_id"]) == (None, None, None, "j")


class TestRows:
    def test_come_back_as_they_were_as_often_as_they_are_read(self) -> None:
        diff = [FieldChange("filter.value", "nodes[1]", UNSET, ["b", None], Side.BOTH)]
        rows = [
            row("n1", diff=[]),
            row("일\n2", Action.UPDATE, diff=diff, reason='"action":"delete"', updated_date="u"),
        ]
        kept = plan(*rows).rows
        assert [list(kept), list(kept), len(kept)] == [rows, rows, 2]
        assert list(kept.of(Action.DELETE)) == []

    def test_of_one_action_are_found_whatever_their_texts_say(self) -> None:
        kept = plan(row("n1", reason='"action":"update"'), row("n2", Action.UPDATE)).rows
        assert [each.name for each in kept.of(Action.UPDATE)] == ["n2"]

    def test_may_be_read_by_several_at_a_time_and_be_longer_than_what_is_read_at_once(self) -> None:
        kept = plan(*(row(f"n{number}", reason="x" * 1_000) for number in range(300))).rows
        assert [(one.name, two.name) for one, two in zip(kept, kept, strict=True)] == [
            (f"n{number}", f"n{number}") for number in range(300)
        ]


class TestReading:
    def test_what_was_saved_is_read_back(self, tmp_path: Path) -> None:
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan(row("n")).as_document()), encoding="utf-8")
        assert what_changed(read_plan(path), plan(row("n"))) == []

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "cannot be read: not JSON"),
            ("{", "cannot be read: not JSON"),
            ("[" * 100_000, "is not a plan of this release"),
            (_TEXT.replace("null", "[" * 100_000), "cannot be read: not JSON"),
            ("[]", "is not a plan of this release"),
            ("7", "is not a plan of this release"),
            ("{}", "is not a plan of this release"),
            ('{"schema": 1}', "is not a plan of this release"),
            ('{"schema": 1, "rows": {}}', "is not a plan of this release"),
            ('{"schema": 1, "rows": [1]}', "is not a plan of this release"),
            ('{"schema": 2, "rows": []}', "is not a plan of this release"),
            ('{"rows": []}', "is not a plan of this release"),
            (_TEXT.replace('"prune": false', '"prune": 0'), "is not a plan of this release"),
            (_TEXT.replace('"sha256": "00"', '"hash": "00"'), "is not a plan of this release"),
            (_TEXT.replace('"action": "create"', '"action": 7'), "is not a plan of this release"),
            (_TEXT.replace('"schema": 1', '"schema": 2'), "is not a plan of this release"),
        ],
    )
    def test_a_file_that_is_none_is_refused_with_its_name_and_how_to_make_one(
        self, tmp_path: Path, text: str, why: str
    ) -> None:
        path = tmp_path / "plan.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=why) as raised:
            read_plan(path)
        assert raised.value.message.startswith(f"--plan {path}: ")
        assert raised.value.hint == "make one with `bulkjobs plan … --out FILE`"

    def test_a_file_that_is_not_there_is_refused_as_such(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
            read_plan(tmp_path / "none.json")


class TestWhatChanged:
    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("endpoint", "https://b", 'endpoint: it was "https://a", now it is "https://b"'),
            ("account", "x", 'account: it was "default", now it is "x"'),
            ("api", "2026-09", 'api: it was "2025-03", now it is "2026-09"'),
            ("namespace", "o.csv", 'namespace: it was "jobs.csv", now it is "o.csv"'),
            ("prune", True, "prune: it was false, now it is true"),
            ("inventories", (("jobs.csv", "11"),), "inventory: its bytes are others than those that were planned"),
            ("inventories", (), "inventory: its bytes are others than those that were planned"),
        ],
    )
    def test_another_target_or_inventory_is_told(self, key: str, value: object, said: str) -> None:
        assert what_changed(saved(plan(row("n"))), plan(row("n"), **{key: value})) == [said]

    def test_an_inventory_that_was_only_moved_is_the_same(self) -> None:
        assert what_changed(saved(plan(row("n"))), plan(row("n"), inventories=(("/x/moved.csv", "00"),))) == []

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ([], [row("n")], "n: is new"),
            ([row("n")], [], "n: is not planned any more"),
            (
                [row("n")],
                [row("n", Action.UNCHANGED)],
                "n: it was to create, now it is to unchanged (state or service changed)",
            ),
            (
                [row("n")],
                [replace(row("n"), digest=b"\x02")],
                "n: its row is another (inventory or layout changed)",
            ),
            (
                [row("n", Action.UNCHANGED)],
                [replace(row("n", Action.UNCHANGED), digest=b"\x02")],
                "n: its row is another (inventory or layout changed)",
            ),
            (
                [row("n", Action.UPDATE, job_id="j", updated_date="u1")],
                [row("n", Action.UPDATE, job_id="j", updated_date="u2")],
                "n: its job was changed on the service since",
            ),
            (
                [row("n", Action.UNCHANGED, job_id="j1")],
                [row("n", Action.UNCHANGED, job_id="j2")],
                "n: its job was changed on the service since",
            ),
        ],
    )
    def test_a_row_that_is_not_as_it_was_planned_is_told_with_what_changed(
        self, before: list[Planned], after: list[Planned], said: str
    ) -> None:
        assert what_changed(saved(plan(*before)), plan(*after)) == [said]

    def test_an_unchanged_job_may_have_another_date(self) -> None:
        before = row("n", Action.UNCHANGED, job_id="j", updated_date="u1")
        assert what_changed(saved(plan(before)), plan(replace(before, updated_date="u2"))) == []

    def test_the_first_five_rows_are_named_and_the_others_counted(self) -> None:
        told = what_changed(saved(plan()), plan(*(row(f"n{number}") for number in range(7))))
        assert told == [*(f"n{number}: is new" for number in range(5)), "and 2 more"]

    def test_names_and_values_of_a_file_of_untrusted_origin_are_inert(self) -> None:
        told = what_changed(saved(plan(row("a\x1b[31m\nb")), account="x\x1b[2J"), plan())
        assert not any("\x1b" in line or "\n" in line for line in told)
        assert told[-1] == "a\\x1b[31m\\nb: is not planned any more"
