"""Submit an inventory to an embedded service, and say how each row ended. Leave ``sandbox`` out for the real one."""

import asyncio
from pathlib import Path

import bulkjobs

inventory = Path(__file__).parents[1] / "sample.csv"
submitted = asyncio.run(bulkjobs.submit([inventory], bulkjobs.Target(sandbox=True)))
print(submitted.summary["counts"], submitted.folder / "results.csv")
raise SystemExit(submitted.result.exit_code)
