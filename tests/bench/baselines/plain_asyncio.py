"""A plain script: aiohttp, a semaphore, retries with a growing pause. ``plain_asyncio.py ENDPOINT BODIES DONE``."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

import aiohttp

ACCESS, SECRET = os.environ["NCLOUD_ACCESS_KEY_ID"], os.environ["NCLOUD_SECRET_ACCESS_KEY"]
AT_ONCE = 16


def headers() -> dict[str, str]:
    now = str(int(time.time() * 1000))
    text = f"POST /api/v1/jobs\n{now}\n{ACCESS}"
    signature = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "x-ncp-apigw-timestamp": now,
        "x-ncp-iam-access-key": ACCESS,
        "x-ncp-apigw-signature-v2": signature,
    }


async def main(endpoint: str, lines: list[str], log: TextIO) -> None:
    slots = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def create(body: str) -> None:
            name = json.loads(body)["name"]
            async with slots:
                pause = 0.5
                while True:
                    request = session.post(f"{endpoint}/api/v1/jobs", data=body, headers=headers())
                    async with request as response:
                        await response.read()
                    if response.status < 300:
                        log.write(name + "\n")
                        log.flush()
                        return
                    if response.status != 429 and response.status < 500:
                        print(name, response.status, file=sys.stderr)
                        return
                    await asyncio.sleep(pause)
                    pause = min(8.0, pause * 2)

        await asyncio.gather(*(create(body) for body in lines))


if __name__ == "__main__":
    bodies, done = map(Path, sys.argv[2:])
    have = set(done.read_text().split()) if done.exists() else set()
    left = [body for body in bodies.read_text().splitlines() if json.loads(body)["name"] not in have]
    with done.open("a") as file:
        asyncio.run(main(sys.argv[1], left, file))
