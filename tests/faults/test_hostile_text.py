"""What strangers write stays text: on the terminal, in logs, in reports; from cells and from replies alike."""

from __future__ import annotations

import csv
import json
import unicodedata

import pytest

from tests.nursery import shared

from .canary import SECRET_KEY
from .scene import Scene
from .server import Exchange
from .wire_faults import gateway, service, status

HOSTILE = "\x1b[2J\x1b]0;owned\x07 two\nlines\r\u202egnp.exe\u200b\u2028\x00\x9b31m"
ACTIVE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def active(text: str) -> set[str]:
    """The characters of ``text`` that are more than ink, line ends apart."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in ACTIVE}


REPLIES = {
    "gateway": status(400, gateway(100, HOSTILE)),
    "a code": status(400, gateway(HOSTILE, "said")),
    "service": status(400, service(HOSTILE, HOSTILE)),
    "a nested detail": status(400, {"detail": {HOSTILE: [HOSTILE]}, "errorType": "bad-parameter"}),
    "generic": status(400, {"timestamp": 1, "status": 400, "error": HOSTILE, "path": HOSTILE}),
}


class TestReplies:
    @pytest.mark.parametrize("fault", REPLIES.values(), ids=REPLIES.keys())
    async def test_a_refusal_cannot_drive_a_terminal_or_forge_a_line(self, scene: Scene, fault: object) -> None:
        scene.server.on("create", fault, name="bravo")  # type: ignore[arg-type]  # a Fault
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "rejected"
        assert not active(scene.texts["log 1"].decode())
        for line in scene.texts["log 1"].decode().splitlines():
            assert isinstance(json.loads(line), dict)
        for name in ("results.csv", "summary.json"):
            assert not active((ended.submitted.folder / name).read_text(encoding="utf-8").replace("\r\n", "\n")), name
        await scene.again()
        assert not active(scene.texts["log 2"].decode())

    async def test_the_program_shows_them_inert(self, scene: Scene) -> None:
        async def made(exchange: Exchange) -> None:
            job = exchange.commit().whole()
            await exchange.answer(201, job | {"status": HOSTILE, "updatedDate": HOSTILE})

        scene.server.on("create", status(400, service("bad-parameter", HOSTILE)), name="bravo")
        scene.server.on("create", made, name="charlie")
        scene.nursery = shared()
        code, out, err = await scene.command()
        assert code == 4
        assert not active(out + err), active(out + err)
        assert "owned" in err
        rows = scene.agreed("run1")
        assert not any(active(value) for row in rows.values() for value in row.values())

    async def test_a_reason_to_stop_is_shown_inert(self, scene: Scene) -> None:
        scene.server.on("list", status(401, gateway(200, HOSTILE)))
        scene.nursery = shared()
        code, out, err = await scene.command()
        assert code == 7
        assert not active(out + err), active(out + err)

    async def test_a_message_that_begins_like_a_formula_is_text_in_the_report(self, scene: Scene) -> None:
        scene.server.on("create", status(400, gateway(100, "=HYPERLINK(A1)")), name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["error"] == "'=HYPERLINK(A1)"

    async def test_keys_that_the_service_echoes_are_taken_out(self, scene: Scene) -> None:
        async def echo(exchange: Exchange) -> None:
            headers = exchange.request.headers
            said = " ".join(value for name, value in headers.items() if name.startswith("x-ncp"))
            await exchange.answer(400, gateway(100, said))

        scene.server.on("create", echo, name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "rejected"

    @pytest.mark.parametrize("length", range(490, 500, 3))
    async def test_a_text_that_is_cut_does_not_end_in_half_a_key(self, scene: Scene, length: int) -> None:
        said = "x" * length + SECRET_KEY.replace("/", "\\/")
        body = b'{"error":{"errorCode":"100","message":"%b"}}' % said.encode()
        scene.server.on("create", status(400, body), name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "rejected"
        assert "Cana" not in ended["bravo"]["error"]

    async def test_a_job_that_is_made_with_our_keys_in_its_reply_keeps_none_of_them(self, scene: Scene) -> None:
        async def echo(exchange: Exchange) -> None:
            signature = exchange.request.headers["x-ncp-apigw-signature-v2"]
            job = exchange.commit().whole() | {"status": signature, "updatedDate": SECRET_KEY}
            await exchange.answer(201, job, x_ncp_trace_id=signature)

        scene.server.on("create", echo, name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "created"


class TestCells:
    async def test_hostile_cells_of_other_columns_travel_into_reports_and_nowhere_else(self, scene: Scene) -> None:
        cell = HOSTILE.replace("\x00", "").replace("\r", "")
        text = scene.inventory.read_text(encoding="utf-8").splitlines()
        lines = [text[0] + ",note", *(f'{line},"{cell}"' for line in text[1:])]
        scene.inventory.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
        scene.nursery = shared()
        code, out, err = await scene.command()
        assert code == 0, err
        assert not active(out + err), active(out + err)
        scene.agreed("run1")

    async def test_a_hostile_name_is_a_problem_that_is_shown_inert(self, scene: Scene) -> None:
        cell = HOSTILE.replace("\x00", "").replace("\r", "")
        scene.write(scene.names, f'"{cell}",b-1,p,"id:string",,t-1,out\n')
        scene.nursery = shared()
        code, out, err = await scene.command()
        assert code == 3
        assert not active(out + err), active(out + err)
        assert scene.server.creates() == 0
        with (scene.reports / "run1" / "results.csv").open(encoding="utf-8", newline="") as file:
            assert [row["outcome"] for row in csv.DictReader(file)] == ["not_sent"] * 5 + ["invalid"]
