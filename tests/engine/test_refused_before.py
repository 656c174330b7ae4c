"""What the journal knows of definitions that the service refused."""

from __future__ import annotations

from pathlib import Path

from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.statements import Kind

from .conftest import durable, opened, put_end


async def sent(journal: Journal, name: str, digest: bytes, verdict: str) -> None:
    attempt = journal.new_attempt()
    journal.put(Kind.INTENT, attempt, journal.scope, journal.run, 0, name, 1, digest, 2_000)
    await durable(journal)
    put_end(journal, attempt, verdict, closed=True)
    await durable(journal)


async def test_a_refusal_is_remembered_with_the_definition_and_for_its_scope_alone(state: Path) -> None:
    async with opened(state) as journal:
        await sent(journal, "a", b"a1", "rejected")
        await sent(journal, "a", b"a2", "created")
        await sent(journal, "b", b"b1", "rejected")
        await sent(journal, "c", b"c1", "throttled")
        assert Pending(journal).refused() == {b"a1", b"b1"}
    async with opened(state, "r2") as journal:
        assert Pending(journal).refused() == {b"a1", b"b1"}
    async with opened(state, "r3", account="y") as journal:
        assert Pending(journal).refused() == set()
