"""The API itself, one call at a time: create, list, read, delete. For the real service take ``find_credentials``."""

import asyncio
from pathlib import Path

from bulkjobs import Contract, Credentials, DataFlowClient, Expander, InventoryFile, Sandbox, Verdict, sendable_rows


async def main() -> None:
    row = next(sendable_rows([InventoryFile(Path(__file__).parents[1] / "sample.csv")], Expander()))
    async with Sandbox() as sandbox:
        keys = Credentials(sandbox.access_key, sandbox.secret_key)
        async with DataFlowClient(keys, sandbox.endpoint, Contract(), timeout=10) as client:
            answer = await client.create_job(row.job.name, row.job.nodes)
            if answer.verdict is not Verdict.CREATED or answer.job_id is None:
                raise SystemExit(f"{answer.verdict}: {answer.message}")  # unknown: the job may exist or not

            page = await client.list_page(0)
            print("listed:", [job.name for job in page.jobs])

            job = await client.get_job(answer.job_id)
            print("read:", job.name if job else None, job.status if job else None)

            await client.delete_job(answer.job_id)
            print("left:", await client.get_job(answer.job_id))


asyncio.run(main())
