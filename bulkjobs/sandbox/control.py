"""``/control/jobs``: what a person does in the console, for tests. The real API has no such path; off by default.

* ``GET /control/jobs``: every live job with its nodes, as it was made, by no rule of normalisation.
* ``POST /control/jobs/{jobId}`` with some of ``nodes``, ``name``, ``status``, ``lastExecutionStatus``,
  ``lastExecutionDate``: a hand edit, or a run. Nothing is checked but the shape.
* ``DELETE /control/jobs/{jobId}``: deleted by hand.

No signature is asked for: it serves tests on this machine. A browser cannot post JSON here without asking first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from bulkjobs.sandbox.jobs import edited_job
from bulkjobs.sandbox.store import Store


class _Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    nodes: list[dict[str, Any]] | UnsetType = UNSET
    name: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    last_execution_status: str | UnsetType = UNSET
    last_execution_date: str | UnsetType = UNSET


def add_control(app: web.Application, store: Store, clock: Callable[[], float]) -> None:
    """Adds the routes to ``app``, over the jobs of ``store``."""

    async def show(_request: web.Request) -> web.Response:
        return _json(msgspec.json.encode(store.all()))

    async def edit(request: web.Request) -> web.Response:
        job = store.get(request.match_info["jobId"])
        if job is None:
            return web.Response(status=404)
        if request.content_type != "application/json":
            return web.Response(status=415)
        try:
            wanted = msgspec.json.decode(await request.read(), type=_Edit)
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        changes = {key: value for key, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
        if "nodes" in changes:
            changes["nodes"] = msgspec.Raw(msgspec.json.encode(changes["nodes"]))
        store.replace(edited_job(job, clock(), **changes))
        return _json(b"true")

    async def delete(request: web.Request) -> web.Response:
        if store.get(request.match_info["jobId"]) is None:
            return web.Response(status=404)
        store.remove(request.match_info["jobId"])
        return _json(b"true")

    app.router.add_get("/control/jobs", show, allow_head=False)
    app.router.add_post("/control/jobs/{jobId}", edit)
    app.router.add_delete("/control/jobs/{jobId}", delete)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
