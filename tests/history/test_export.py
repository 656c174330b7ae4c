"""``export``: live jobs become an inventory whose submission finds every one of them to exist."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bulkjobs.graph.comparison import BUILT_IN
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.exported import COLUMNS, Shown, export_rows

from .conftest import Run, Service, inventory, outcomes

LAYOUTS = Path(__file__).parents[2] / "inputs"


def _rows(text: str) -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def _graph(**source: object) -> list[dict[str, Any]]:
    fields = [{"name": "id", "type": "bigint", "properties": []}]
    place = {"regionNo": "1", "bucketName": "raw-bucket", "dataType": "CSV", "fieldList": fields}
    return [
        {"id": 1, "type": "SOURCE_OBS", "name": "Object Storage", "parentNodeIds": [], "prefix": "in"} | place | source,
        {"id": 2, "type": "TARGET_OBS", "name": "Object Storage", "parentNodeIds": [1], "prefix": "out"} | place,
    ]


def _filtered(value: str) -> list[dict[str, Any]]:
    source, target = _graph()
    condition = {"name": "id", "operator": "EQ", "value": value}
    kept = {"type": "TRANSFORM_FILTER", "name": "필터", "filterType": "AND", "filterConditionList": [condition]}
    return [source, {"id": 3, "parentNodeIds": [1]} | kept, target | {"parentNodeIds": [3]}]


def _exported(nodes: object) -> dict[str, str]:
    exported = export_rows([Shown("alpha", "j1", nodes)], Expander(), BUILT_IN)
    (row,) = exported.rows
    return dict(zip(COLUMNS, row, strict=True))


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("suffix", "layouts"),
        [(".csv", ("join", "sql", "aggregate", "several_targets")), (".parquet", ("union_dedupe",))],
    )
    def test_what_was_exported_exists_when_it_is_submitted_elsewhere(
        self, run: Run, service: Service, tmp_path: Path, suffix: str, layouts: tuple[str, ...]
    ) -> None:
        run("submit", inventory(tmp_path / "jobs.csv", "alpha", "bravo_f", update_type="APPEND"), *service.words)
        for name in layouts:
            layout = LAYOUTS / "layouts" / f"{name}.toml"
            assert run("submit", LAYOUTS / f"{name}.csv", "--layout", layout, *service.words).code == 0
        service.make("foreign", _graph())
        live = {job.name for job in service.sandbox.jobs()}

        ended = run("export", *service.words[:4], "--out", f"out{suffix}")
        assert (ended.code, ended.out) == (0, "")
        made = service.sandbox.traffic.requests["createJob"]
        ended = run("submit", f"out{suffix}", *service.words, "--state", "other.db", "--run-id", "again")
        assert ended.code == 0
        assert outcomes(tmp_path / "reports" / "again") == {"existing": len(live)}
        assert service.sandbox.traffic.requests["createJob"] == made

    def test_source_filter_target_are_flat_and_anything_else_is_nodes(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        run("submit", inventory(tmp_path / "jobs.csv", "alpha", "bravo_f", update_type="APPEND"), *service.words)
        run("submit", LAYOUTS / "join.csv", "--layout", LAYOUTS / "layouts" / "join.toml", *service.words)
        ended = run("export", *service.words[:4])
        rows = _rows(ended.out)
        assert rows["bravo_f"] == {
            "name": "bravo_f", "bucket": "raw-bucket", "prefix": "in/bravo_f", "fields": "id:bigint, name:string",
            "filter": 'id GT "7"', "data_type": "CSV", "region_no": "1", "target_bucket": "clean-bucket",
            "target_prefix": "out/bravo_f", "target_data_type": "CSV", "target_region_no": "1",
            "update_type": "APPEND", "nodes": "",
        }  # fmt: skip
        assert rows["alpha"]["filter"] == ""
        others = rows.keys() - {"alpha", "bravo_f"}
        assert others
        assert all(rows[name]["nodes"] and not rows[name]["bucket"] for name in others)
        assert f"{len(others)} of them in the `nodes` column" in ended.err

    def test_only_names_of_the_pattern_are_read(self, run: Run, service: Service, tmp_path: Path) -> None:
        run("submit", inventory(tmp_path / "jobs.csv", "shop_a", "shop_b", "news_a", "SHOP_c"), *service.words)
        before = service.sandbox.traffic.requests["getJob"]
        rows = _rows(run("export", *service.words[:4], "--name", "shop_*").out)
        assert set(rows) == {"shop_a", "shop_b"}
        assert service.sandbox.traffic.requests["getJob"] == before + 2

    def test_what_a_service_adds_and_normalises_is_left_out(self) -> None:
        nodes = _graph(description="added", nrn="", regionNo=1)
        assert _exported(nodes)["nodes"] == ""
        assert _exported(nodes)["region_no"] == "1"

    def test_a_node_of_another_name_goes_to_nodes(self) -> None:
        cells = _exported(_graph(name="another name"))
        assert cells["bucket"] == ""
        assert json.loads(cells["nodes"])[0]["name"] == "another name"

    @pytest.mark.parametrize("value", ["a\nb", "a\rb", "\x1b[31m", "\u202e", "\x9b31m", "\x00", "\x7f", "한\u200b글"])
    def test_a_character_that_acts_or_hides_is_an_escape_in_nodes(self, value: str) -> None:
        cells = _exported(_filtered(value))
        assert cells["bucket"] == ""
        assert cells["nodes"].isprintable()
        assert json.loads(cells["nodes"])[1]["filterConditionList"][0]["value"] == value

    @pytest.mark.parametrize("value", ["", " ", '"', "''", "AND", "007", "=1+1", "한글", "a,b;c", "\\"])
    def test_any_other_value_is_flat(self, value: str) -> None:
        assert _exported(_filtered(value))["nodes"] == ""

    def test_a_number_of_files_is_not_lost(self) -> None:
        nodes = _graph()
        nodes[1]["coalesce"] = 4
        assert '"coalesce":4' in _exported(nodes)["nodes"]

    def test_hostile_text_is_exact_in_the_file(self, run: Run, service: Service) -> None:
        service.make("alpha", _filtered('=HYPERLINK("x")\x1b]0;t\x07'))
        service.make("bravo", _graph(prefix='=1+"1",2'))
        ended = run("export", *service.words[:4])
        assert "\x1b" not in ended.out + ended.err
        rows = _rows(ended.out)
        assert rows["bravo"]["prefix"] == '=1+"1",2'
        condition = json.loads(rows["alpha"]["nodes"])[1]["filterConditionList"][0]
        assert condition["value"] == '=HYPERLINK("x")\x1b]0;t\x07'


class TestWhatNoRowCanHold:
    def test_two_jobs_of_one_name_are_left_out_and_named(self, run: Run, service: Service) -> None:
        service.make("twice", _graph())
        service.make("twice", _graph())
        service.make("once", _graph())
        ended = run("export", *service.words[:4], "--out", "out.csv", "--json")
        assert ended.code == 4
        assert (ended.json["jobs"], ended.json["as_nodes"]) == (1, 0)
        (refused,) = ended.json["refused"]
        assert (refused["name"], len(refused["job_ids"])) == ("twice", 2)
        assert "Left out twice" in ended.err

    @pytest.mark.parametrize(
        ("nodes", "reason"),
        [
            (None, "no nodes"),
            ([], "no nodes"),
            ([7], "unknown type None"),
            ([{"type": "SOURCE_\x1bX"}], "unknown type SOURCE_\\x1bX"),
            (_graph(bucketName=7.5)[:1], "target"),
            (_graph(fieldList=["id"]), "not an object"),
            (_graph(prefix="\ud800"), "half a character"),
            (_graph(prefix={"a": 1}), "prefix"),
            (_graph(prefix="in\x1b[31m"), "prefix"),
        ],
    )
    def test_a_job_that_cannot_be_sent_is_refused_with_the_reason(self, nodes: object, reason: str) -> None:
        exported = export_rows([Shown("alpha", "j1", nodes)], Expander(), BUILT_IN)
        assert not exported.rows
        (refused,) = exported.refused
        assert refused.job_ids == ("j1",)
        assert reason in refused.reason


class TestFile:
    def test_a_file_that_is_there_is_replaced_only_by_force(self, run: Run, service: Service, tmp_path: Path) -> None:
        service.make("alpha", _graph())
        out = tmp_path / "out.csv"
        out.write_text("precious", encoding="utf-8")
        ended = run("export", *service.words[:4], "--out", out)
        assert (ended.code, out.read_text(encoding="utf-8")) == (2, "precious")
        assert not service.sandbox.traffic.requests["getJobs"]
        assert run("export", *service.words[:4], "--out", out, "--force").code == 0
        assert set(_rows(out.read_text(encoding="utf-8"))) == {"alpha"}
        assert stat.S_IMODE(out.stat().st_mode) == 0o600

    def test_parquet_holds_texts_only(self, run: Run, service: Service, tmp_path: Path) -> None:
        service.make("alpha", _graph())
        run("export", *service.words[:4], "--out", "out.parquet")
        table = pq.read_table(tmp_path / "out.parquet")
        assert tuple(table.column_names) == COLUMNS
        assert {str(kind) for kind in table.schema.types} == {"string"}
        assert table["region_no"].to_pylist() == ["1"]

    @pytest.mark.parametrize("suffix", [".csv", ".parquet"])
    def test_nothing_is_left_when_the_service_refuses(
        self, run: Run, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        monkeypatch.setenv("NCLOUD_SECRET_ACCESS_KEY", "wrong")
        ended = run("export", *service.words[:4], "--out", f"out{suffix}")
        assert ended.code == 7
        assert "the service refuses the credentials" in ended.err
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("words", "said"),
        [(("--out", "jobs.xlsx"), "by the suffix"), (("--json",), "add --out FILE")],
    )
    def test_what_cannot_be_written_is_said_before_anything_is_asked(
        self, run: Run, service: Service, words: tuple[str, ...], said: str
    ) -> None:
        ended = run("export", *service.words[:4], *words)
        assert ended.code == 2
        assert said in ended.err
        assert not service.sandbox.traffic.requests
