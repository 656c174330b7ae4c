"""Rules of comparison from the configuration: read strictly, in force where jobs are compared, and forgotten again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.errors import UsageError
from bulkjobs.graph.comparison import BUILT_IN, Comparison, read_rules
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.meaning import How, Rule
from bulkjobs.inventory.reader import InventoryFile

from .conftest import Run, Service, inventory, outcomes

_RULE = '[[compare]]\nkeys = ["updateType"]\nhow = "never"\nreason = "the console sets it"\n'


def _ours(path: Path) -> bytes:
    (chunk,) = InventoryFile(inventory(path, "alpha_f", update_type="APPEND")).chunks()
    (job,) = Expander().expand(chunk).jobs
    assert job is not None
    return job.nodes


def _rules(keys: list[str], how: str) -> Comparison:
    return Comparison(read_rules([{"keys": keys, "how": how, "reason": "a test"}], "a file"))


class TestMeaning:
    @pytest.mark.parametrize(
        ("keys", "how", "edit"),
        [
            (["updateType"], "never", lambda nodes: nodes[2].update(updateType="OVERWRITE")),
            (["regionNo"], "if_sent", lambda nodes: nodes[0].update(regionNo="1")),
            (["dataType", "bucketName"], "any_case", lambda nodes: nodes[0].update(dataType="csv")),
            (["fieldList"], "set", lambda nodes: nodes[0]["fieldList"].reverse()),
            (["type"], "never", lambda nodes: nodes[0]["fieldList"][0].update(type="int")),
            (["properties"], "never", lambda nodes: nodes[0]["fieldList"][0].update(properties=[{"name": "x"}])),
            (["filterConditionList"], "never", lambda nodes: nodes[1]["filterConditionList"].clear()),
        ],
    )
    def test_a_rule_makes_equal_what_it_names_and_nothing_else(
        self, tmp_path: Path, keys: list[str], how: str, edit: Any
    ) -> None:
        ours, comparison = _ours(tmp_path / "one.csv"), _rules(keys, how)
        remote = json.loads(ours)
        edit(remote)
        assert comparison.same(ours, remote)
        assert BUILT_IN.same(ours, remote) is (how == "if_sent")
        remote[0]["prefix"] = "elsewhere"
        assert [found.path for found in comparison.differences(ours, remote)] == ["nodes[0].prefix"]

    def test_a_rule_of_ones_own_wins_over_a_built_in_one(self, tmp_path: Path) -> None:
        ours = _ours(tmp_path / "one.csv")
        remote = json.loads(ours)
        remote[0]["fieldList"][0]["type"] = "BIGINT"
        assert BUILT_IN.same(ours, remote)
        assert not _rules(["type"], "exact").same(ours, remote)

    def test_the_tag_tells_rules_apart_and_not_their_reasons(self) -> None:
        assert BUILT_IN.tag is None
        never = Comparison((Rule(("updateType",), How.NEVER, "one"),))
        assert never.tag == Comparison((Rule(("updateType",), How.NEVER, "another"),)).tag
        assert never.tag != Comparison((Rule(("updateType",), How.IF_SENT, "one"),)).tag


class TestReading:
    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ({"keys": ["updatetype"], "how": "never", "reason": "r"}, "no node has a key 'updatetype'"),
            ({"keys": ["id"], "how": "never", "reason": "r"}, "id cannot have a rule"),
            ({"keys": ["parentNodeIds"], "how": "set", "reason": "r"}, "parentNodeIds cannot have a rule"),
            ({"keys": ["name"], "how": "never", "reason": "r"}, "it tells fields and nodes apart"),
            ({"keys": ["prefix"], "how": "sometimes", "reason": "r"}, "`how` is 'sometimes'"),
            ({"keys": ["prefix"], "how": "reference", "reason": "r"}, "`how` is 'reference'"),
            ({"keys": ["prefix"], "how": "set", "reason": "r"}, "prefix is no list"),
            ({"keys": ["fieldList"], "how": "any_case", "reason": "r"}, "fieldList is a list"),
            ({"keys": ["fieldList"], "how": "if_sent", "reason": "r"}, "fieldList is a list"),
            ({"keys": ["value"], "how": "if_sent", "reason": "r"}, "value stands within lists"),
            ({"keys": ["prefix"], "how": "never"}, "`reason` is missing"),
            ({"keys": ["prefix"], "how": "never", "reason": " "}, "`reason` is missing"),
            ({"keys": "prefix", "how": "never", "reason": "r"}, "`keys` must be a list"),
            ({"keys": [], "how": "never", "reason": "r"}, "`keys` must be a list"),
            ({"key": ["prefix"], "how": "never", "reason": "r"}, "unknown key 'key'"),
        ],
    )
    def test_a_rule_that_cannot_be_is_refused_with_its_place(self, table: dict[str, object], said: str) -> None:
        good = {"keys": ["prefix"], "how": "exact", "reason": "r"}
        with pytest.raises(UsageError) as raised:
            read_rules([good, table], "--config bulk.toml")
        assert raised.value.message.startswith("--config bulk.toml: compare rule 2: ")
        assert said in raised.value.message
        assert raised.value.hint

    @pytest.mark.parametrize("tables", ["never", {"keys": []}, [1], 7])
    def test_what_is_no_list_of_tables_is_refused(self, tables: object) -> None:
        with pytest.raises(UsageError, match="must be a list of tables"):
            read_rules(tables, "a file")


class TestInForce:
    def test_a_drift_under_one_set_of_rules_is_none_under_another_and_back(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        config = tmp_path / "bulk.toml"
        config.write_text(_RULE, encoding="utf-8")
        path = inventory(tmp_path / "jobs.csv", "alpha", "bravo_f", update_type="APPEND")
        assert run("submit", path, *service.words).code == 0
        service.change("alpha", lambda nodes: nodes[-1].update(updateType="OVERWRITE"))

        def submitted(name: str, *words: str | Path) -> dict[str, int]:
            run("submit", path, *service.words, "--run-id", name, *words)
            return outcomes(tmp_path / "reports" / name)

        assert submitted("one") == {"drifted": 1, "existing": 1}
        assert submitted("two", "--config", config) == {"existing": 2}
        assert submitted("three", "--config", config) == {"existing": 2}
        assert submitted("four") == {"drifted": 1, "existing": 1}

    def test_unchanged_jobs_are_not_read_again_under_the_same_rules(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        config = tmp_path / "bulk.toml"
        config.write_text(_RULE, encoding="utf-8")
        path = inventory(tmp_path / "jobs.csv", "alpha", "bravo_f")
        run("submit", path, *service.words, "--config", config)
        run("submit", path, *service.words, "--config", config)
        before = service.sandbox.traffic.requests["getJob"]
        run("submit", path, *service.words, "--config", config)
        assert service.sandbox.traffic.requests["getJob"] == before

    def test_a_bad_rule_ends_the_command_before_anything_is_sent(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        config = tmp_path / "bulk.toml"
        config.write_text(_RULE.replace("never", "nevr"), encoding="utf-8")
        ended = run("submit", inventory(tmp_path / "jobs.csv", "alpha"), *service.words, "--config", config)
        assert ended.code == 2
        assert "compare rule 1: `how` is 'nevr'" in ended.err
        assert not service.sandbox.traffic.requests

    def test_commands_that_compare_nothing_take_the_same_file(self, run: Run, service: Service, tmp_path: Path) -> None:
        config = tmp_path / "bulk.toml"
        config.write_text(_RULE, encoding="utf-8")
        run("submit", inventory(tmp_path / "jobs.csv", "alpha"), *service.words)
        assert run("runs", "--config", config).code == 0
