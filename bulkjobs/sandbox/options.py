"""What a sandbox can be told. Where the service is undocumented there is a choice; the harsher one is the default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bulkjobs.sandbox.bodies import Api


@dataclass(frozen=True)
class SandboxOptions:
    """Raises ValueError for a value that no sandbox could follow.

    ``port``             0: any free one.
    ``api``              the contract: ``2025-03`` or ``2026-09``.
    ``rate``             requests per second, reads too; more are refused with 429/410. None: no limit.
    ``list_lag``         seconds until a created job shows in getJobs; getJob sees it at once.
    ``latency``          seconds that every reply takes longer. The work is done before the wait.
    ``data``             keeps the jobs in this file, readable by its owner only. None: in memory.
    ``duplicate_names``  what a second live job of one name gets: ``allow`` makes it, ``refuse`` is a 400.
    ``name_match``       how getJobs reads ``name``: ``partial`` finds every name that holds it.
    ``normalise``        shows jobs as a service might: reordered, completed, without what is empty.
    ``control``          adds ``/control/jobs``, for tests: what a person does in the console, unsigned.
    """

    port: int = 0
    api: Api = "2025-03"
    rate: float | None = None
    list_lag: float = 0.0
    latency: float = 0.0
    data: Path | None = None
    duplicate_names: Literal["allow", "refuse"] = "allow"
    name_match: Literal["exact", "partial"] = "partial"
    normalise: bool = False
    control: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: must be 0 to 65535")
        if self.api not in get_args(Api):
            raise ValueError(f"api {self.api!r}: must be one of {', '.join(get_args(Api))}")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate {self.rate}: must be more than 0 requests per second")
        for name, seconds in (("list_lag", self.list_lag), ("latency", self.latency)):
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name} {seconds}: must be 0 seconds or more")
        if self.duplicate_names not in ("allow", "refuse"):
            raise ValueError(f"duplicate_names {self.duplicate_names!r}: must be allow or refuse")
        if self.name_match not in ("exact", "partial"):
            raise ValueError(f"name_match {self.name_match!r}: must be exact or partial")
