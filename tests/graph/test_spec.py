"""The fingerprint of a definition: the state file of every earlier run holds it."""

from __future__ import annotations

import pytest

from bulkjobs.graph.spec import JobSpec, fingerprint


@pytest.mark.parametrize(
    ("nodes", "digest"),
    [(b"", "cae66941d9efbd404e4d88758ea67670"), (b"abc", "cf4ab791c62b8d2b2109c90275287816")],
)
def test_it_is_blake2b_of_16_bytes(nodes: bytes, digest: str) -> None:
    assert fingerprint(nodes).hex() == digest
    assert fingerprint(nodes).hex() == digest, "what was hashed before is not in it"


def test_a_job_has_that_of_its_nodes() -> None:
    job = JobSpec("alpha", b"abc")
    assert job.digest == job.digest == fingerprint(b"abc")
