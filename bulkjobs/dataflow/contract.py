"""The two contracts in the field (``dataflow-api.md`` §1): what createJob's body holds under each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bulkjobs.errors import UsageError


class Api(StrEnum):
    V2025_03 = "2025-03"
    V2026_09 = "2026-09"


@dataclass(frozen=True, slots=True)
class Contract:
    """Which body createJob takes. The options beyond ``api`` exist under ``2026-09`` only.

    ``num_worker`` 2-10, ``timeout_minutes`` 1-1440. Raises UsageError for what the contract cannot say.
    """

    api: Api = Api.V2025_03
    job_type: str | None = None
    num_worker: int | None = None
    timeout_minutes: int | None = None
    max_concurrent_runs: int | None = None

    def __post_init__(self) -> None:
        given = {
            "--job-type": self.job_type,
            "--num-worker": self.num_worker,
            "--timeout-minutes": self.timeout_minutes,
            "--max-concurrent-runs": self.max_concurrent_runs,
        }
        if self.api is Api.V2025_03:
            for option, value in given.items():
                if value is not None:
                    raise UsageError(f"{option} needs contract 2026-09", "add --api 2026-09, or leave it out")
        if self.job_type not in (None, "VISUAL"):
            raise UsageError(
                f"--job-type {self.job_type}: only VISUAL jobs have a node graph",
                "SCRIPT jobs are not made here",
            )
        _in_range("--num-worker", self.num_worker, 2, 10)
        _in_range("--timeout-minutes", self.timeout_minutes, 1, 1440)
        if self.max_concurrent_runs is not None and self.max_concurrent_runs < 1:  # no upper end is documented
            raise UsageError(
                f"--max-concurrent-runs {self.max_concurrent_runs}: must be 1 or more",
                "leave it out for the service's own",
            )

    def create_body(self, name: str, nodes: bytes) -> bytes:
        """createJob's body. ``nodes`` is the JSON array of nodes; ``name`` is a valid job name (plain ASCII)."""
        encoded = b'{"name":"%b",' % name.encode("ascii")
        if self.api is Api.V2025_03:
            return encoded + b'"nodes":%b}' % nodes
        return b'%b"type":"VISUAL","nodes":%b%b}' % (encoded, nodes, self._options())

    def _options(self) -> bytes:
        condition = {"numWorker": self.num_worker, "timeout": self.timeout_minutes}
        condition = {key: value for key, value in condition.items() if value is not None}
        text = b""
        if self.max_concurrent_runs is not None:
            text += b',"maxConcurrentRuns":%d' % self.max_concurrent_runs
        if condition:
            text += b',"jobCondition":%b' % msgspec.json.encode(condition)
        return text


def _in_range(option: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} {value}: must be from {low} to {high}", "leave it out for the service's own")
