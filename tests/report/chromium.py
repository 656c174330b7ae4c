"""A headless Chromium of its own for one test, driven over the DevTools protocol on 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
_LONGEST = 60  # seconds for any one answer: the machine may be busy


class Page:
    """One open page. ``requests``: URLs that it asked for; ``dialogs`` and ``complaints``: what must not happen."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._number = 0
        self._session: str | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def attach(self) -> None:
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.ask(f"{domain}.enable")

    async def go(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self._loaded.clear()
        await self.ask("Page.navigate", url=path.as_uri())
        async with asyncio.timeout(_LONGEST):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """The value of a script; of a promise, what it becomes. An error in it is raised."""
        answer = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until a condition holds, looked at whenever the page draws."""
        look = f"requestAnimationFrame(function look() {{ ({condition}) ? done() : requestAnimationFrame(look); }})"
        async with asyncio.timeout(_LONGEST):
            await self.run(f"new Promise((done) => {look})")

    async def ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(message)
        async with asyncio.timeout(_LONGEST):
            return await answer

    async def close(self) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    async def _read(self) -> None:
        async for frame in self._socket:
            message = frame.json()
            if "id" in message:
                answer = self._answers.pop(message["id"])
                if answer.done():  # nobody waits for it any more
                    continue
                if "error" in message:
                    answer.set_exception(AssertionError(message["error"]))
                else:
                    answer.set_result(message["result"])
            else:
                self._happened(message["method"], message["params"])

    def _happened(self, method: str, event: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(event["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(event["message"])
            case "Log.entryAdded":
                self.complaints.append(event["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(event["exceptionDetails"]))


@asynccontextmanager
async def opened(profile: Path, flags: Sequence[str] = ()) -> AsyncIterator[Page]:
    """A new browser with an empty profile and one blank page. It is ended, with all its processes."""
    assert PROGRAM is not None
    browser = await asyncio.create_subprocess_exec(
        PROGRAM, *_FLAGS, *flags, f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True, limit=1 << 20,
    )  # fmt: skip
    assert browser.stderr is not None
    draining = None
    try:
        async with asyncio.timeout(_LONGEST):
            line = ""
            while "DevTools listening on " not in line:
                line = (await browser.stderr.readline()).decode("utf-8", "replace")
                assert line, "the browser ended before it listened"
        draining = asyncio.create_task(browser.stderr.read())  # or it would block on a full pipe
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(line.split()[-1], max_msg_size=0) as socket,
        ):
            page = Page(socket)
            try:
                await page.attach()
                yield page
            finally:
                await page.close()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
        if draining is not None:
            await draining
