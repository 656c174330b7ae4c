"""Every error says what to do next, with the command to type where there is one."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

import bulkjobs.cli.held
import bulkjobs.dataflow.client
from bulkjobs.errors import BulkJobsError
from bulkjobs.graph.cell_error import CellError

from .program import KEYS, Run, process, row, write_csv

_HERE = (bulkjobs.cli.held, bulkjobs.dataflow.client)  # where classes of the tree are that are not in ``errors``
_LOCAL = "http://127.0.0.1:9"


def classes_of(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for below in root.__subclasses__():
        yield from classes_of(below)


def test_no_error_can_be_made_without_a_hint() -> None:
    kinds = {*classes_of(BulkJobsError), CellError}
    assert {"PlanDiffers", "CallFailed", "UsageError"} <= {kind.__name__ for kind in kinds}
    for kind in kinds:  # one that takes none brings its own, or mypy would say so
        hint = inspect.signature(kind).parameters.get("hint")
        assert hint is None or hint.default is inspect.Parameter.empty, kind


_MISTAKES: list[tuple[tuple[str, ...], int, str]] = [
    (("submit", "nowhere.csv"), 2, "check the path"),
    (("submit", "jbos.csv"), 2, "did you mean jobs.csv?"),
    (("submit", "."), 2, "give a CSV or Parquet file"),
    (("submit", "jobs.csv", "--endpoint", "http://far.example"), 2, "use https://far.example"),
    (("submit", "jobs.csv", "--endpoint", "https://[x"), 2, "the default is https://"),
    (("submit", "jobs.csv", "--endpoint", "https://a/b"), 2, "is added by bulkjobs"),
    (("submit", "jobs.csv"), 7, "--sandbox"),
    (("submit", "jobs.csv", "--credentials-file", "none"), 7, "--credentials-file"),
    (("submit", "jobs.csv", "--credentials-file", "jobs.csv"), 7, "ncloud_access_key_id"),
    (("submit", "jobs.csv", "--credentials-file", "half.ini"), 7, "add ncloud_secret_access_key"),
    (("submit", "jobs.csv", "--credentials-file", "half.ini", "--profile", "prod"), 7, "profiles there: DEFAULT"),
    (("submit", "jobs.csv", "--sandbox", "--num-worker", "4"), 2, "--api 2026-09"),
    (("submit", "jobs.csv", "--sandbox", "--api", "2026-09", "--num-worker", "99"), 2, "leave it out"),
    (("submit", "jobs.csv", "--sandbox", "--api", "2026-09", "--max-concurrent-runs", "0"), 2, "leave it out"),
    (("submit", "jobs.csv", "--sandbox", "--api", "2026-09", "--job-type", "SCRIPT"), 2, "SCRIPT jobs are not made"),
    (("submit", "jobs.csv", "--sandbox", "--run-id", "a/b"), 2, "leave it out"),
    (("submit", "jobs.csv", "--sandbox", "--rate", "fast"), 2, "bulkjobs help submit"),
    (("submit", "jobs.csv", "--sandbox", "--log-file", "no/log"), 9, "--log-file"),
    (("submit", "jobs.csv", "--sandbox", "--json", "--json-events", "-"), 2, "--json-events FILE"),
    (("submit", "jobs.csv", "--sandbox", "--plan", "jobs.csv"), 2, "bulkjobs plan"),
    (("submit", "jobs.csv", "--sandbox", "--state", "half.ini"), 9, "choose another file with --state FILE"),
    (("submit", "jobs.csv", "--sandbox", "--config", "none.toml"), 2, "TOML"),
    (("submit", "jobs.csv", "--sandbox", "--config", "half.ini"), 2, "rate = 20"),
    (("submit", "jobs.csv", "--sandbox", "--set", "env"), 2, "--set env=dev"),
    (("submit", "jobs.csv", "--sandbox", "--set", "env=dev"), 2, "leave --set out"),
    (("validate", "jobs.csv", "--layout", "none.toml"), 2, "check --layout"),
    (("validate", "jobs.csv", "--layout", "half.ini"), 2, "bulkjobs init DIR"),
    (("validate", "jobs.csv", "--json", "--github"), 2, "choose one"),
    (("validate", "jobs.csv", "--server=some"), 2, "bulkjobs help validate"),
    (("expand", "jobs.csv", "--row", "jub001"), 2, "did you mean"),
    (("explain", "none", "job001"), 9, "--state FILE"),
    (("rollback", "none", "--sandbox", "--yes"), 2, "bulkjobs runs"),
    (("report", "none"), 9, "--state FILE"),
    (("init", "there"), 2, "another folder"),
    (("export", "--json", "--sandbox"), 2, "--out FILE"),
    (("export", "--out", "half.ini", "--sandbox"), 2, "NAME.csv"),
    (("plan", "jobs.csv", "--sandbox", "--out", "no/plan.json"), 9, "--out"),
    (("runs", "--delete-older", "soon"), 2, "bulkjobs help runs"),
    (("completion", "bsh"), 2, "did you mean bash?"),
    (("sandbox", "--data", "jobs.csv"), 2, "--data"),
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a beginner has: one inventory, half of the credentials, and nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_csv(tmp_path / "jobs.csv", [row(1)])
    (tmp_path / "half.ini").write_text("[DEFAULT]\nncloud_access_key_id = an-access-key-of-tests\n")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "jobs.csv").touch()
    (tmp_path / "there" / "inventory.csv").touch()
    return tmp_path


@pytest.mark.parametrize(("words", "code", "hint"), _MISTAKES, ids=[" ".join(words) for words, _, _ in _MISTAKES])
def test_a_mistake_is_told_and_what_to_do_about_it(
    run: Run, desk: Path, words: tuple[str, ...], code: int, hint: str
) -> None:
    ended = run(*words)
    told, _, rest = ended.err.partition("\n  ")
    assert (ended.code, "Error: " in told, hint in rest) == (code, True, True), ended.err
    assert "Traceback" not in ended.err


def test_a_layout_that_needs_a_variable_names_set(run: Run, desk: Path) -> None:
    layouts = Path(__file__).parents[2] / "inputs" / "layouts"
    text = (layouts / "copy.toml").read_text(encoding="utf-8").replace("${bucket}", "${env}-${bucket}")
    (desk / "mine.toml").write_text(text, encoding="utf-8")
    ended = run("validate", "jobs.csv", "--layout", "mine.toml")
    assert ended.code == 3
    assert "--set env=" in ended.err


def test_the_reasons_of_an_invalid_inventory_are_never_none(run: Run, desk: Path) -> None:
    (desk / "bad.csv").write_text("name,bucket,prefix,fields\na_job,shop-raw,p,id:int\n", encoding="utf-8")
    ended = run("submit", "bad.csv", "--sandbox", "--settle", "0")
    assert ended.code == 3
    assert "None" not in ended.err
    assert "invalid" in ended.err


@pytest.mark.parametrize(
    ("body", "kind"), [("<html>not here</html>", "text/html"), ('{"error":{"errorCode":"300"}}', "application/json")]
)
async def test_a_server_that_knows_nothing_of_us_is_an_endpoint_to_check(desk: Path, body: str, kind: str) -> None:
    async def nothing(_: web.Request) -> web.Response:
        return web.Response(status=404, text=body, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nothing)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        endpoint = "http://{}:{}".format(*runner.addresses[0][:2])
        words = ("submit", desk / "jobs.csv", "--endpoint", endpoint, "--patience", "0.1", "--state", desk / "s.db")
        ended = await process(*words, "--report-dir", desk / "r", **KEYS)
    finally:
        await runner.cleanup()
    assert ended.code == 7
    assert "Ended early: the service is not there (HTTP 404" in ended.err
    assert "\n  check --endpoint\n" in ended.err


def test_a_port_that_is_taken_is_named(run: Run, desk: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words in ((), ("--data", "jobs.sandbox")):
            ended = run("sandbox", "--port", str(port), *words)
            assert ended.code == 2
            assert f"the sandbox cannot start: port {port}: Address already in use" in ended.err
            assert "another --port" in ended.err
