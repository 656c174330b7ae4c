"""report.html in a real browser: hostile cells are inert, and 50,000 rows can be searched and filtered.

Skipped where there is no Chromium; ``apt-get install chromium`` brings one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.engine.records import Outcome, RowRecord

from .chromium import PROGRAM, Page, opened
from .made import created, csv_bytes, inventory, rejected, rendered, run_of

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")

READ = "document.querySelectorAll('script.rows').length === 0"
FOUND = "document.getElementById('found').textContent"
NAMES = "[...document.querySelectorAll('.canvas .c-name')].map((cell) => cell.textContent)"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with opened(tmp_path / "profile") as page:
        yield page
        assert page.dialogs == []
        assert page.complaints == []


async def show(page: Page, folder: Path, rows: Sequence[RowRecord], *cells: Sequence[str], **run: Any) -> Path:
    """Render a run of one inventory, whose first row of cells is its header, and open its page."""
    inventories = [inventory(folder / "in.csv", csv_bytes(*cells), len(cells) - 1)] if cells else []
    report = rendered(run_of(*inventories, **run), rows, folder / "out")
    path = report.folder / "report.html"
    await page.go(path)
    await page.until(READ)
    return path


async def search(page: Page, text: str) -> str:
    """Type into the search field; what the page then says of how many it found."""
    script = f"""(() => {{
        const field = document.getElementById("search");
        field.value = {json.dumps(text)};
        field.dispatchEvent(new Event("input"));
    }})()"""
    marked = "document.getElementById('found').textContent = ''"
    await page.run(marked)
    await page.run(script)
    await page.until(f"{FOUND} !== ''")
    return str(await page.run(FOUND))


async def test_hostile_cells_and_replies_run_nothing_and_fetch_nothing(tmp_path: Path, page: Page) -> None:
    fetched: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fetched.append((await reader.readline()).decode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        hostile = [
            f'</script><img src="{url}" onerror="window.canary = 1">',
            f'"><script src="{url}"></script><script>window.canary = 2; alert(2)</script>',
            "<!--<script>",
            f"</style><style>@import '{url}'</style></title><svg onload='window.canary = 3'>",
            "javascript:window.canary=4",
            "{{ 7 * 7 }}${7 * 7}<%= 7 * 7 %>",
            '=HYPERLINK("x")\u202e\x1b]0;x\x07\u2028',
        ]
        rows = [rejected(0, n + 2, text, name=text, error_code=text) for n, text in enumerate(hostile)]
        cells = [["note", hostile[0]], *([text, text] for text in hostile)]
        path = await show(page, tmp_path, rows, *cells, state="halted", reason=hostile[1], account=hostile[0])
        for line in range(len(hostile)):  # every row whole
            await page.run(f"document.querySelectorAll('.canvas .row')[{line}].click()")
            await page.until("document.getElementById('detail').open")
            shown = await page.run("document.getElementById('detail-list').textContent")
            assert hostile[line].split("\u202e")[0] in shown
            await page.run("document.getElementById('detail').close()")
        for link in range(2):
            await page.run(f"document.querySelectorAll('a[data-code]')[{link}].click()")
            assert await page.run(FOUND) == "1 of 7 rows"
        assert await page.run("typeof canary") == "undefined"
        assert await page.run("document.querySelectorAll('img, iframe, .canvas script').length") == 0
        assert page.requests == [path.as_uri()]
    assert fetched == []


async def test_the_page_would_refuse_even_markup_that_were_put_into_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "profile") as page:
        await show(page, tmp_path, [created(0, 2)])
        for attempt in (
            "document.body.innerHTML = '<b>'",
            "document.body.append(Object.assign(document.createElement('script'), {text: 'canary = 1'}))",
            "document.body.setAttribute('onclick', 'canary = 1')",
        ):
            with pytest.raises(AssertionError, match=r"TrustedHTML|TrustedScript"):
                await page.run(attempt)
        await page.run("fetch('http://127.0.0.1:9/').then(() => { canary = 1 }, () => 0)")
        assert await page.run("typeof canary") == "undefined"
        assert any("Content Security Policy" in complaint for complaint in page.complaints)


async def test_fifty_thousand_rows_can_be_searched_filtered_and_scrolled(tmp_path: Path, page: Page) -> None:
    count = 50_000
    rows: list[RowRecord] = []
    for n in range(count):
        if n == 10:  # of the same HTTP status and code as the rejected ones
            rows.append(rejected(0, n + 2, name=f"job_{n}", outcome=Outcome.CONFLICT))
        elif n % 1_000 == 999:
            rows.append(rejected(0, n + 2, name=f"job_{n}"))
        elif n % 1_000 == 500:
            rows.append(created(0, n + 2, name=f"job_{n}", outcome=Outcome.ADOPTED))
        else:
            rows.append(created(0, n + 2, name=f"job_{n}"))
    cells = [["bucket", "team"], *([f"버킷-{n % 7}", "Sales" if n % 10_000 == 3 else "web"] for n in range(count))]
    await show(page, tmp_path, rows, *cells)

    assert await page.run(FOUND) == "50,000 rows"
    assert len(await page.run(NAMES)) < 60, "only what is in view is in the document"

    assert await search(page, "SALES") == "5 of 50,000 rows"
    assert await page.run(NAMES) == ["job_3", "job_10003", "job_20003", "job_30003", "job_40003"]
    assert await search(page, "  버킷-3  sales ") == "1 of 50,000 rows"
    assert await search(page, "in.csv:50001") == "1 of 50,000 rows"
    assert await search(page, "no such text") == "0 of 50,000 rows"
    assert await page.run("document.querySelector('.canvas').textContent") == "No row matches."
    assert await search(page, "") == "50,000 rows"

    await page.run("document.querySelector('[data-filter=failed]').click()")
    assert await page.run(FOUND) == "51 of 50,000 rows"
    await page.run("document.querySelector('[data-filter=adopted]').click()")
    assert await page.run(f"{NAMES}[1]") == "job_1500"
    await page.run("document.querySelector('a[data-status=\"400\"]').click()")
    assert await page.run(FOUND) == "50 of 50,000 rows"
    assert await page.run("document.getElementById('cause').textContent") == "rejected · HTTP 400 · 100 ✕"
    await page.run("document.getElementById('cause').click()")
    assert await page.run(FOUND) == "50,000 rows"

    await page.run("document.getElementById('view').scrollTop = 1e9")
    await page.until(f"{NAMES}.includes('job_49999')")
    assert len(await page.run(NAMES)) < 60


async def test_a_column_is_sorted_both_ways_and_then_as_it_was(tmp_path: Path, page: Page) -> None:
    rows = [
        created(0, line, name=f"job_{line}", elapsed_ms=took) for line, took in ((2, 50), (3, None), (4, 9), (5, 100))
    ]
    await show(page, tmp_path, rows)
    orders = []
    for _ in range(3):
        await page.run("[...document.querySelectorAll('.head button')].at(-1).click()")
        orders.append([name[-1] for name in await page.run(NAMES)])
    assert orders == [["5", "2", "4", "3"], ["4", "2", "5", "3"], ["2", "3", "4", "5"]]


async def test_the_keyboard_is_enough(tmp_path: Path, page: Page) -> None:
    await show(page, tmp_path, [created(0, line, name=f"job_{line}") for line in range(2, 400)])
    await page.run("document.getElementById('view').focus()")
    for key in ("End", "ArrowUp", "Enter"):
        for kind in ("keyDown", "keyUp"):
            await page.ask("Input.dispatchKeyEvent", type=kind, key=key)
    await page.until("document.getElementById('detail').open")
    assert await page.run("document.getElementById('detail-title').textContent") == "job_398"


async def test_on_paper_the_rows_are_there(tmp_path: Path, page: Page) -> None:
    await show(page, tmp_path, [created(0, line, name=f"job_{line}") for line in range(400)])
    await page.run("window.printed = []; addEventListener('beforeprint', () => { window.printed.push(1); })")
    await page.ask("Page.printToPDF")
    assert await page.run("printed.length") == 1
    await page.run("dispatchEvent(new Event('beforeprint'))")
    assert await page.run(f"{NAMES}.length") == 300
    assert "300 of 400 rows" in await page.run("document.getElementById('printed').textContent")
    await page.run("dispatchEvent(new Event('afterprint'))")
    assert await page.run(f"{NAMES}.length") < 60


@pytest.mark.parametrize("width", [400, 1_400])
async def test_it_fits_its_window(tmp_path: Path, page: Page, width: int) -> None:
    await page.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
    rows = [rejected(0, n, "x" * 500, name="n" * 100, error_code="c" * 100) for n in range(2, 40)]
    cells = [["h" * 90], *(["y" * 300] for _ in rows)]
    await show(page, tmp_path, rows, *cells, endpoint="https://" + "e" * 200, state="halted", reason="r" * 400)
    assert await page.run("document.documentElement.scrollWidth") == width


async def test_without_scripts_all_but_the_table_is_there(tmp_path: Path, page: Page) -> None:
    await page.ask("Emulation.setScriptExecutionDisabled", value=True)
    report = rendered(run_of(), [created(0, 2), rejected(0, 3)], tmp_path / "out")
    await page.go(report.folder / "report.html")
    said = await page.run("document.body.innerText")
    for words in ("1 of 2 rows has its job", "the bucket does not exist", "The table needs JavaScript."):
        assert words in said
    assert "Show it" not in said
