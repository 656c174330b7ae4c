"""Make jobs from a query instead of a file: check its rows first, then submit them."""

import asyncio
import sqlite3

import bulkjobs

database = sqlite3.connect(":memory:")
database.row_factory = sqlite3.Row
database.executescript("""
    CREATE TABLE source (shop TEXT, year INTEGER, wanted TEXT);
    INSERT INTO source VALUES ('seoul', 2025, 'OK'), ('busan', 2025, NULL), ('jeju', 2026, 'OK');
""")
query = database.execute("""
    SELECT 'shop_' || shop AS name,
           'shop-raw' AS bucket, shop || '/' || year AS prefix, 'id:bigint, state:string' AS fields,
           'state EQ "' || wanted || '"' AS filter,
           'shop-clean' AS target_bucket, shop AS target_prefix, year
    FROM source
""")

inventory = bulkjobs.rows_from(query, name="shops")
survey = bulkjobs.validate([inventory])
for problem in survey.problems:
    print(problem.where, problem.message, problem.hint or "")
if survey.errors:
    raise SystemExit(bulkjobs.ExitCode.INVALID_INVENTORY)

submitted = asyncio.run(bulkjobs.submit([inventory], bulkjobs.Target(sandbox=True)))
print(submitted.summary["counts"])
raise SystemExit(submitted.result.exit_code)
