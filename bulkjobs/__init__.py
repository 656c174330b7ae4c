"""bulkjobs: create NAVER Cloud Data Flow jobs from an inventory, each row exactly once.

What the commands do, for programs. Each name is imported when it is first asked for, so ``import bulkjobs`` costs
nothing; nothing is configured by it: no logging, no signals, no event loop. ``inputs/examples`` has whole programs.

    an inventory     InventoryFile (a path), rows_from (a query's rows), rows_from_frame, Limits, Problem
    its jobs         load_layout, Expander, validate, sendable_rows
    a run            submit, make_plan, reconcile, rollback, verify, export, in a Target, with Settings and Places
    its report       render_again, which writes the files that ``submit`` wrote; Submitted.summary, results_frame
    the API itself   DataFlowClient, with Credentials and a Contract
    to rehearse      Target(sandbox=True), or Sandbox
    what is raised   BulkJobsError and its subclasses, each with a message, a hint and an exit code
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkjobs.dataflow.client import CallFailed, DataFlowClient, Job
    from bulkjobs.dataflow.contract import Api, Contract
    from bulkjobs.dataflow.credentials import find_credentials
    from bulkjobs.dataflow.listing import ListedJob, Page
    from bulkjobs.dataflow.replies import Answer, Cause, Verdict
    from bulkjobs.dataflow.signature import Credentials
    from bulkjobs.engine.clock import Clock
    from bulkjobs.engine.consent import MaxDelete, Mode, Refusal
    from bulkjobs.engine.ending import Result
    from bulkjobs.engine.plan import Plan
    from bulkjobs.engine.records import Outcome
    from bulkjobs.engine.verify import Verified
    from bulkjobs.engine.work import Stop, Tally
    from bulkjobs.errors import (
        AccessError,
        BulkJobsError,
        ExitCode,
        InventoryError,
        NotFinished,
        StateBusy,
        StateError,
        UsageError,
    )
    from bulkjobs.frames import results_frame, rows_from_frame
    from bulkjobs.graph.comparison import Comparison
    from bulkjobs.graph.expand import Expander
    from bulkjobs.graph.layout import Layout, load_layout
    from bulkjobs.graph.sample import SampledRow
    from bulkjobs.graph.spec import JobSpec
    from bulkjobs.graph.survey import Survey
    from bulkjobs.inventory.limits import Limits
    from bulkjobs.inventory.problems import Problem
    from bulkjobs.inventory.reader import InventoryChanged, InventoryFile
    from bulkjobs.inventory.row_source import RowLike, rows_from
    from bulkjobs.inventory.rows import Chunk, Header
    from bulkjobs.library import (
        ExportSummary,
        Places,
        Submitted,
        Target,
        export,
        render_again,
        sendable_rows,
        submit,
        validate,
        verify,
    )
    from bulkjobs.logs import Log
    from bulkjobs.reconciliation import Around, Ended, approve_all, hold_to, make_plan, reconcile, rollback
    from bulkjobs.sandbox import Sandbox, SandboxOptions
    from bulkjobs.settings import HaltRule, Settings, Shard

    __version__: str

__all__ = [
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

_HOMES = {
    "bulkjobs.dataflow.client": ("CallFailed", "DataFlowClient", "Job"),
    "bulkjobs.dataflow.contract": ("Api", "Contract"),
    "bulkjobs.dataflow.credentials": ("find_credentials",),
    "bulkjobs.dataflow.listing": ("ListedJob", "Page"),
    "bulkjobs.dataflow.replies": ("Answer", "Cause", "Verdict"),
    "bulkjobs.dataflow.signature": ("Credentials",),
    "bulkjobs.engine.clock": ("Clock",),
    "bulkjobs.engine.plan": ("Plan",),
    "bulkjobs.engine.consent": ("MaxDelete", "Mode", "Refusal"),
    "bulkjobs.engine.records": ("Outcome",),
    "bulkjobs.engine.submit": ("Result",),
    "bulkjobs.engine.verify": ("Verified",),
    "bulkjobs.engine.work": ("Stop", "Tally"),
    "bulkjobs.errors": (
        "AccessError",
        "BulkJobsError",
        "ExitCode",
        "InventoryError",
        "NotFinished",
        "StateBusy",
        "StateError",
        "UsageError",
    ),
    "bulkjobs.frames": ("results_frame", "rows_from_frame"),
    "bulkjobs.graph.comparison": ("Comparison",),
    "bulkjobs.graph.expand": ("Expander",),
    "bulkjobs.graph.layout": ("Layout", "load_layout"),
    "bulkjobs.graph.sample": ("SampledRow",),
    "bulkjobs.graph.spec": ("JobSpec",),
    "bulkjobs.graph.survey": ("Survey",),
    "bulkjobs.inventory.limits": ("Limits",),
    "bulkjobs.inventory.problems": ("Problem",),
    "bulkjobs.inventory.reader": ("InventoryChanged", "InventoryFile"),
    "bulkjobs.inventory.row_source": ("RowLike", "rows_from"),
    "bulkjobs.inventory.rows": ("Chunk", "Header"),
    "bulkjobs.library": (
        "ExportSummary",
        "Places",
        "Submitted",
        "Target",
        "export",
        "render_again",
        "sendable_rows",
        "submit",
        "validate",
        "verify",
    ),
    "bulkjobs.logs": ("Log",),
    "bulkjobs.reconciliation": ("Around", "Ended", "approve_all", "hold_to", "make_plan", "reconcile", "rollback"),
    "bulkjobs.sandbox": ("Sandbox", "SandboxOptions"),
    "bulkjobs.settings": ("HaltRule", "Settings", "Shard"),
}
"""Where a name is defined: what the type checker reads above, for the import at run time."""


if not TYPE_CHECKING:  # to a type checker, a module with __getattr__ has every name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415  # 20 ms that few programs need

            return version("bulkjobs")
        if name not in __all__:
            raise AttributeError(f"module 'bulkjobs' has no attribute {name!r}")
        home = next(home for home, names in _HOMES.items() if name in names)
        value: object = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
