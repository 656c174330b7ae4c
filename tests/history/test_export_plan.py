"""``export`` then ``plan``: nothing is pending, whatever the graph, the texts in it and the journal."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.graph.expand import Expander
from bulkjobs.graph.layout import load_layout
from bulkjobs.graph.nodes import NODE_TYPES
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.sandbox import SandboxOptions

from .conftest import HEADER, Run, Service

INPUTS = Path(__file__).parents[2] / "inputs"
_LAYOUTS = sorted(path.stem for path in (INPUTS / "layouts").glob("*.toml"))

_TEXTS = {
    "plain": "A",
    "comma": "a,b;c",
    "quotes": "say \"hello\", 'you'",
    "newline": "one\ntwo\r\nthree",
    "korean": '서울, "강남" 필터',
    "formula": "=1+1",
    "number": "007",
    "blank": " padded ",
    "word": "A AND B OR C",
    "empty": "",
}


def _filtered(value: str) -> list[dict[str, Any]]:
    """A graph as another program may have made it: with ids and names of its own."""
    fields = [{"name": "종류", "type": "string"}, {"name": "id", "type": "bigint"}]
    place = {"regionNo": "1", "bucketName": "raw-bucket", "dataType": "CSV", "fieldList": fields}
    condition = {"name": "종류", "operator": "EQ", "value": value}
    return [
        {"id": 1, "type": "SOURCE_OBS", "name": "Object Storage", "parentNodeIds": [], "prefix": "입력, in"} | place,
        {
            "id": 2, "type": "TRANSFORM_FILTER", "name": "Filter", "parentNodeIds": [1], "filterType": "AND",
            "filterConditionList": [condition],
        },
        {"id": 3, "type": "TARGET_OBS", "name": "Object Storage", "parentNodeIds": [2], "prefix": "out"} | place,
    ]  # fmt: skip


def _of_layouts() -> dict[str, list[dict[str, Any]]]:
    """The nodes of every sample's jobs by name; databases to read from are written to as well."""
    made: dict[str, list[dict[str, Any]]] = {}
    for layout in _LAYOUTS:
        variables = {"env": "dev"} if layout == "environments" else {}
        expander = Expander(load_layout(INPUTS / "layouts" / f"{layout}.toml", variables))
        for chunk in InventoryFile(INPUTS / f"{layout}.csv").chunks():
            made |= {job.name: json.loads(job.nodes) for job in expander.expand(chunk).jobs if job is not None}
    for kind in ("MYSQL", "POSTGRESQL"):
        source = next(n for nodes in made.values() for n in nodes if n["type"] == f"SOURCE_CDB_{kind}")
        target = source | {"type": f"TARGET_CDB_{kind}", "id": source["id"] + 1, "parentNodeIds": [source["id"]]}
        made[f"copy_{kind.lower()}"] = [source, target | {"updateType": "APPEND"}]
    return made


@pytest.mark.parametrize("service", [SandboxOptions(normalise=True)], indirect=True)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_nothing_is_pending_for_any_node_type_and_any_text(
    run: Run, service: Service, tmp_path: Path, suffix: str
) -> None:
    made = {f"text_{name}": _filtered(value) for name, value in _TEXTS.items()} | _of_layouts()
    assert {node["type"] for nodes in made.values() for node in nodes} == set(NODE_TYPES)
    service.make_all(made)

    ended = run("export", *service.words[:4], "--out", f"live{suffix}")
    assert ended.code == 0, ended.err
    ended = run("plan", f"live{suffix}", *service.words, "--json", "--exit-code")
    counts = {action: count for action, count in ended.json["counts"].items() if count}
    assert (ended.code, counts) == (0, {"unchanged": len(made)})

    service.change("text_korean", lambda nodes: nodes[1]["filterConditionList"][0].update(value="by hand"))
    rows = run("plan", f"live{suffix}", *service.words, "--json").json["rows"]
    assert [row["name"] for row in rows if row["action"] != "unchanged"] == ["text_korean"], "a real edit shows"


@pytest.mark.parametrize("service", [SandboxOptions(normalise=True)], indirect=True)
def test_by_a_pattern_only_those_are_in_it_and_nothing_is_pending(run: Run, service: Service, tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    rows = [
        (name, "raw-bucket", f"in/{name}", "id:bigint, 종류:string", f'종류 EQ "{value}"', "clean-bucket", "out", "")
        for name, value in (("shop_a", "한글, 쉼표"), ("shop_b", "B"), ("news_a", "C"))
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER.strip().split(","), *rows])
    assert run("reconcile", path, *service.words, "--yes", "--quiet").code == 0
    assert run("export", *service.words[:4], "--name", "shop_*", "--out", "shop.csv").code == 0
    for words in ((), ("--prune",), ("--state", "another.db")):
        plan = run("plan", "shop.csv", *service.words, "--json", *words).json
        assert [(row["name"], row["action"]) for row in plan["rows"]] == [
            ("shop_a", "unchanged"),
            ("shop_b", "unchanged"),
        ]
