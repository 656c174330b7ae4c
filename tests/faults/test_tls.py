"""TLS is always verified: a certificate that is not right means that not one byte of a request leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from .certificates import Certificates
from .scene import Scene
from .server import FaultServer


@pytest.mark.parametrize(
    ("which", "said"),
    [("unknown", "issuer"), ("wrong-host", "mismatch"), ("expired", "expired")],
)
async def test_a_certificate_that_is_not_right_ends_the_run_before_anything_is_sent(
    tmp_path: Path, certificates: Certificates, which: str, said: str
) -> None:
    async with FaultServer(tls=certificates.context(which)) as server:
        scene = Scene(tmp_path, server)
        code, _, err = await scene.command(SSL_CERT_FILE=str(certificates.authority))
        assert code == 7, err
        assert "certificate is not valid" in err
        assert said in err
        assert server.requests == []
        assert {row["outcome"] for row in scene.agreed("run1").values()} == {"not_sent"}
        scene.has_no_leak()


async def test_a_certificate_that_is_right_is_trusted(tmp_path: Path, certificates: Certificates) -> None:
    async with FaultServer(tls=certificates.context("good")) as server:
        scene = Scene(tmp_path, server)
        code, _, err = await scene.command(SSL_CERT_FILE=str(certificates.authority))
        assert code == 0, err
        assert {row["outcome"] for row in scene.agreed("run1").values()} == {"created"}
        scene.has_no_leak()


async def test_a_server_that_speaks_no_tls_sees_no_request(tmp_path: Path) -> None:
    async with FaultServer() as server:
        scene = Scene(tmp_path, server, scheme="https")
        ended = await scene.run(first_patience=0.2, timeout=0.3)
        assert ended.outcomes() == ["not_sent"] * 5
        assert ended.exit_code == 7
        assert server.requests == []
        scene.has_no_leak()
