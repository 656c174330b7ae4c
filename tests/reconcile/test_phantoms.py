"""On a service that reorders, completes and drops, apply then plan is empty for all node types; real edits show."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings

from bulkjobs.engine.clock import Clock
from bulkjobs.errors import ExitCode
from bulkjobs.graph.comparison import BUILT_IN
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.layout import load_layout
from bulkjobs.library import Places, Target
from bulkjobs.reconciliation import Around, make_plan, reconcile
from bulkjobs.sandbox import Sandbox, SandboxOptions
from bulkjobs.sandbox.operations import Operations
from bulkjobs.sandbox.store import Store
from bulkjobs.settings import Settings
from tests.graph.strategies import graphs

from .stage import Service

INPUTS = Path(__file__).parents[2] / "inputs"
LAYOUTS = sorted(path.stem for path in (INPUTS / "layouts").glob("*.toml"))
VARIABLES = {"environments": {"env": "dev"}}


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_every_layout_applied_is_unchanged(tmp_path: Path, layout: str) -> None:
    expander = Expander(load_layout(INPUTS / "layouts" / f"{layout}.toml", VARIABLES.get(layout, {})))
    inventory = [INPUTS / f"{layout}.csv"]
    later = 0

    def wall_ms() -> int:
        return time.time_ns() // 1_000_000 + later

    async with Sandbox(SandboxOptions(normalise=True, control=True), clock=lambda: wall_ms() / 1000) as sandbox:

        def around(state: str = "journal.db") -> Around:
            keys = {"NCLOUD_ACCESS_KEY_ID": sandbox.access_key, "NCLOUD_SECRET_ACCESS_KEY": sandbox.secret_key}
            nonlocal later
            later += 3_600_000  # each run well after the one before, which it then need not wait for
            places = Places(tmp_path / state, tmp_path, f"r{later}")
            return Around(
                Target(sandbox.endpoint, environment=keys),
                places,
                Settings(rate=1_000, settle=0.1),
                clock=Clock(wall_ms=wall_ms),
            )

        async def planned(state: str = "journal.db") -> set[str]:
            return {row.action.value for row in (await make_plan(inventory, around(state), expander)).rows}

        assert (await reconcile(inventory, around(), expander)).exit_code is ExitCode.OK
        assert await planned() == {"unchanged"}
        assert await planned("another.db") == {"unchanged"}, "where nothing is known every job is read and compared"
        async with aiohttp.ClientSession() as session:
            job = sandbox.jobs()[0]
            nodes = json.loads(bytes(job.nodes))
            for node in nodes:
                if node["type"].startswith("TARGET"):
                    node["fieldList"] = [*node["fieldList"], {"name": "by_hand", "type": "string"}]
            await Service(sandbox.endpoint, session).edit(job.name, nodes=nodes)
        assert "update" in await planned()
        assert (await reconcile(inventory, around(), expander)).exit_code is ExitCode.OK
        assert await planned() == {"unchanged"}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(nodes=graphs())
def test_any_graph_is_the_same_when_it_comes_back(nodes: list[dict[str, Any]]) -> None:
    operations = Operations(SandboxOptions(normalise=True), Store())
    body = json.dumps({"name": "any", "nodes": nodes}, ensure_ascii=False).encode()
    _, reply = operations.create(body, 1.0)
    shown = json.loads(reply)["nodes"]
    sent = json.dumps(nodes, ensure_ascii=False).encode()
    assert BUILT_IN.differences(sent, shown) == []
    shown[0]["name"] = "by hand"
    assert BUILT_IN.differences(sent, shown) != []
