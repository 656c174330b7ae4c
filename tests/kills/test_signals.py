"""Ctrl-C at every stage, twice, SIGTERM; standard streams that are closed; a terminal that goes away."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import termios
import time

import pytest

from tests.faults.server import Exchange
from tests.faults.wire_faults import resetting, silent
from tests.nursery import ROOT, Process
from tests.waiting import until

from .shim import Shim
from .stage import Stage, environment_of, program

NOTICE = "waiting for what is on its way, then the report"
GO_ON = "To go on: bulkjobs submit"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("call", "part", "nth"),
    [("write", "journal.db-wal", 10), ("connect", "-", 1), ("send", "-", 1), ("send", "-", 9)],
    ids=["checking", "connecting", "listing", "sending"],
)
async def test_a_run_that_is_interrupted_drains_reports_and_says_how_to_go_on(
    stage: Stage, shim: Shim, number: signal.Signals, call: str, part: str, nth: int
) -> None:
    ran = await stage.ran("--concurrency", "2", **shim.signal_on(number, call, part, nth))
    assert ran.code == 5, ran
    said = ran.said()
    assert f"{number.name}: {NOTICE}" in said
    assert f"Ended early: interrupted by {number.name}" in said
    assert GO_ON in said
    (run,) = stage.runs_kept()
    rows = stage.rows_of(run[0])
    assert {row["outcome"] for row in rows.values()} <= {"created", "not_sent"}
    await stage.resumed()


async def test_an_interrupt_before_the_run_has_begun_ends_it_with_nothing_done(stage: Stage, shim: Shim) -> None:
    ran = await stage.ran(**shim.signal_on(signal.SIGINT, "create", "journal.db.lock"))
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert not stage.server.requests
    await stage.resumed()


async def test_an_interrupt_while_the_report_is_written_does_not_stop_it(stage: Stage, shim: Shim) -> None:
    ran = await stage.ran(**shim.signal_on(signal.SIGINT, "create", "results.csv"))
    assert ran.code == 0, ran
    assert list(stage.reports.glob("*/summary.json"))
    await stage.resumed()


async def _with_a_report_due(stage: Stage, shim: Shim) -> None:
    """A run that was killed: the next one writes its report before it begins its own work."""
    assert (await stage.ran(**shim.kill_on("send", nth=9))).code == -signal.SIGKILL
    assert not list(stage.reports.glob("*/summary.json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_while_the_report_of_an_earlier_run_is_written_ends_the_run_with_both_reports(
    stage: Stage, shim: Shim, number: signal.Signals
) -> None:
    await _with_a_report_due(stage, shim)
    before = stage.server.creates()
    ran = await stage.ran(**shim.signal_on(number, "create", ".results.csv.partial"))
    assert ran.code == 6, "what was on its way when the first run was killed is still of unknown end"
    assert f"{number.name}: {NOTICE}" in ran.said()
    assert f"Ended early: interrupted by {number.name}" in ran.said()
    assert GO_ON in ran.said()
    assert stage.server.creates() == before
    killed, interrupted = stage.runs_kept()
    assert (killed[1] / "summary.json").is_file()
    assert {row["outcome"] for row in stage.rows_of(interrupted[0]).values()} <= {"unresolved", "not_sent"}
    await stage.resumed()


async def test_a_second_interrupt_leaves_at_once_while_the_disk_hangs_under_the_report_of_an_earlier_run(
    stage: Stage, shim: Shim
) -> None:
    await _with_a_report_due(stage, shim)
    await _leaves_at_once_from_a_disk_that_hangs(stage, shim)


async def test_an_interrupt_while_a_row_settles_leaves_it_to_the_next_run(stage: Stage) -> None:
    process = await stage.start("--settle", "30")

    async def lose(exchange: Exchange) -> None:
        stage.server.later(0.3, lambda: process.send_signal(signal.SIGINT))
        await resetting(made=True)(exchange)

    stage.server.on("create", lose, name="job05")
    code, _, err = await stage.finish(process)
    assert code == 6, err
    assert GO_ON in " ".join(err.split())
    resumed = await stage.resumed()
    assert resumed.summary["counts"]["adopted"] == 1


async def _ended(process: Process) -> float:
    """How long it takes to end, from now."""
    begun = time.monotonic()
    await asyncio.wait_for(process.wait(), 30)
    return time.monotonic() - begun


async def _hears(process: Process, word: str) -> None:
    """Returns once the process has said it on standard error."""
    assert process.stderr is not None
    while word not in (line := (await asyncio.wait_for(process.stderr.readline(), 30)).decode()):
        assert line, f"it ended without saying {word!r}"


async def test_a_second_interrupt_leaves_at_once_whatever_is_on_its_way(stage: Stage) -> None:
    came, silence = asyncio.Event(), silent(made=True)

    async def fall_silent(exchange: Exchange) -> None:
        came.set()
        await silence(exchange)

    stage.server.on("create", fall_silent, name="job05")
    process = await stage.start()
    await asyncio.wait_for(came.wait(), 30)
    process.send_signal(signal.SIGINT)
    await _hears(process, "SIGINT")
    process.send_signal(signal.SIGINT)
    assert await _ended(process) < 2
    assert process.returncode == 130
    resumed = await stage.resumed()
    assert resumed.summary["counts"]["adopted"] >= 1


async def test_a_second_interrupt_leaves_at_once_while_the_disk_hangs_under_the_report(
    stage: Stage, shim: Shim
) -> None:
    await _leaves_at_once_from_a_disk_that_hangs(stage, shim)


async def _leaves_at_once_from_a_disk_that_hangs(stage: Stage, shim: Shim) -> None:
    note = stage.folder / "hangs"
    process = await stage.start(**shim.stall_on("create", "results.csv", note))
    await until(note.exists)
    process.send_signal(signal.SIGINT)
    await _hears(process, "SIGINT")
    process.send_signal(signal.SIGTERM)
    assert await _ended(process) < 2
    assert process.returncode == 130
    await stage.resumed()


# Standard streams


async def _with_closed(stage: Stage, stream: str, *arguments: str) -> int:
    """The exit code of the command when nobody reads one of its streams any more."""
    read, write = os.pipe()
    os.close(read)
    stage.runs += 1
    try:
        process = await stage.born_in.start(
            [*stage.arguments(), *arguments],
            environment_of(),
            stdout=write if stream == "stdout" else asyncio.subprocess.DEVNULL,
            stderr=write if stream == "stderr" else asyncio.subprocess.DEVNULL,
            is_quick=False,
        )
    finally:
        os.close(write)
    return await asyncio.wait_for(process.wait(), 30)


async def _refuse(exchange: Exchange) -> None:
    await exchange.answer(400, {"detail": "no", "errorType": "bad-parameter"})


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_stream_that_nobody_reads_changes_neither_the_run_nor_its_exit_code(stage: Stage, stream: str) -> None:
    stage.server.on("create", _refuse, name="job05", times=None)
    assert await _with_closed(stage, stream, "--json") == 4, "a row was rejected"
    stage.server.heal()
    assert await _with_closed(stage, stream, "--json") == 0
    await stage.resumed()


async def test_an_interrupt_drains_the_run_though_nobody_reads_that_it_does(stage: Stage, shim: Shim) -> None:
    read, write = os.pipe()
    os.close(read)
    process = await stage.born_in.start(
        [*stage.arguments(), "--concurrency", "2"],
        environment_of(shim.signal_on(signal.SIGINT, "send", nth=9)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=write,
        is_quick=False,
    )
    os.close(write)
    assert await asyncio.wait_for(process.wait(), 30) == 5
    await stage.resumed()


async def test_a_terminal_that_goes_away_is_an_interrupt_and_the_report_is_written(stage: Stage) -> None:
    code, rows = await _without_terminal(stage)
    assert code == 5
    assert "created" in rows
    await stage.resumed()


async def test_a_run_under_nohup_goes_on_without_its_terminal(stage: Stage) -> None:
    code, rows = await _without_terminal(stage, "nohup")
    assert code == 0
    assert rows == {"created"}
    await stage.resumed()


async def _without_terminal(stage: Stage, *wrapper: str) -> tuple[int, set[str]]:
    """The command on a terminal, which is closed while a row is sent: its exit code and its outcomes."""
    terminal, ours = pty.openpty()

    async def close(exchange: Exchange) -> None:
        os.close(terminal)  # the signal is there before this answer; the rows after it are 50 ms apart
        await exchange.ordinary()

    def take_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever started the suite may ignore it
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    stage.server.on("create", close, name="job05")
    stage.runs += 1
    process = await asyncio.create_subprocess_exec(
        *wrapper, *program(*stage.arguments(), "--rate", "20", "--concurrency", "1"),
        env=environment_of({"TERM": "xterm", "PYTHONPATH": str(ROOT)}), cwd=stage.folder,  # nohup writes there
        stdin=ours, stdout=ours, stderr=ours, preexec_fn=take_terminal,
    )  # fmt: skip
    os.close(ours)
    code = await asyncio.wait_for(process.wait(), 30)
    (run,) = stage.runs_kept()
    return code, {row["outcome"] for row in stage.rows_of(run[0]).values()}
