"""What ``import bulkjobs`` offers is this list: a name that goes, or comes by accident, is noticed here."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bulkjobs

ROOT = Path(__file__).parents[2]
NAMES = [
    "AccessError",
    "Answer",
    "Api",
    "Around",
    "BulkJobsError",
    "CallFailed",
    "Cause",
    "Chunk",
    "Clock",
    "Comparison",
    "Contract",
    "Credentials",
    "DataFlowClient",
    "Ended",
    "ExitCode",
    "Expander",
    "ExportSummary",
    "HaltRule",
    "Header",
    "InventoryChanged",
    "InventoryError",
    "InventoryFile",
    "Job",
    "JobSpec",
    "Layout",
    "Limits",
    "ListedJob",
    "Log",
    "MaxDelete",
    "Mode",
    "NotFinished",
    "Outcome",
    "Page",
    "Places",
    "Plan",
    "Problem",
    "Refusal",
    "Result",
    "RowLike",
    "SampledRow",
    "Sandbox",
    "SandboxOptions",
    "Settings",
    "Shard",
    "StateBusy",
    "StateError",
    "Stop",
    "Submitted",
    "Survey",
    "Tally",
    "Target",
    "UsageError",
    "Verdict",
    "Verified",
    "approve_all",
    "export",
    "find_credentials",
    "hold_to",
    "load_layout",
    "make_plan",
    "reconcile",
    "render_again",
    "results_frame",
    "rollback",
    "rows_from",
    "rows_from_frame",
    "sendable_rows",
    "submit",
    "validate",
    "verify",
]

PROGRAM = '''
"""Uses what it is given, as a stranger's program would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import bulkjobs
from bulkjobs import DataFlowClient, InventoryFile


async def run(rows: Sequence[Mapping[str, object]], keys: bulkjobs.Credentials) -> int:
    inventory: InventoryFile = bulkjobs.rows_from(rows, name="mine")
    survey = bulkjobs.validate([inventory], bulkjobs.Expander(bulkjobs.load_layout(Path("layout.toml"))))
    problem: bulkjobs.Problem | None = next(iter(survey.problems), None)
    for row in bulkjobs.sendable_rows([inventory], bulkjobs.Expander()):
        nodes: bytes = row.job.nodes
    plan: bulkjobs.Plan = await bulkjobs.make_plan([inventory], bulkjobs.Around(bulkjobs.Target(sandbox=True)))
    ended: bulkjobs.Submitted = await bulkjobs.submit([inventory, Path("a.csv")], bulkjobs.Target())
    code: bulkjobs.ExitCode = ended.result.exit_code
    async with DataFlowClient(keys, timeout=5.0) as client:
        answer: bulkjobs.Answer = await client.create_job("a_job", nodes)
        job: bulkjobs.Job | None = await client.get_job(answer.job_id or "")
        page: bulkjobs.Page = await client.list_page(0)
    reveal_type(bulkjobs.submit)
    print(plan, problem, job, page.jobs[0].name)
    return code
'''
WRONG = {
    "bulkjobs.submti": 'Module has no attribute "submti"',
    'run = bulkjobs.submit(["a.csv"], bulkjobs.Target())': 'has incompatible type "str"',
    "bulkjobs.Target(sandboxed=True)": 'Unexpected keyword argument "sandboxed"',
    "bulkjobs.Settings(rate='5')": "incompatible type",
}


def test_the_public_names_are_these_in_order() -> None:
    assert sorted(NAMES) == bulkjobs.__all__
    assert set(NAMES) <= set(dir(bulkjobs))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(bulkjobs, name)
    assert inspect.getdoc(value), name
    assert getattr(bulkjobs, name) is value


def test_what_is_imported_is_what_the_type_checker_is_told() -> None:
    tree = ast.parse((ROOT / "bulkjobs" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(told) == bulkjobs.__all__
    for name, home in told.items():
        assert home is not None
        assert getattr(bulkjobs, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'submti'"):
        getattr(bulkjobs, "submti")  # noqa: B009  # the type checker knows


def test_a_program_outside_is_checked_strictly_and_the_examples_too(tmp_path: Path) -> None:
    """Through the installed package, not this folder: ``py.typed`` is what makes its types count."""
    (tmp_path / "right.py").write_text(PROGRAM, encoding="utf-8")
    wrong = "import bulkjobs\n" + "".join(f"{line}\n" for line in WRONG)
    (tmp_path / "wrong.py").write_text(wrong, encoding="utf-8")
    examples = sorted((ROOT / "inputs" / "examples").glob("*.py"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MYPY", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "right.py", "wrong.py", *examples],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = done.stdout.splitlines()
    errors = [line for line in said if ": error:" in line]
    assert len(errors) == len(WRONG), done.stdout + done.stderr
    for number, expected in enumerate(WRONG.values(), start=2):
        assert [line for line in errors if line.startswith(f"wrong.py:{number}: ") and expected in line], errors
    assert any("right.py" in line and "Submitted" in line for line in said if "Revealed type" in line)
