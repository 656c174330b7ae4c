"""The garbage collector of a process that is ours alone. A library leaves its user's as it is.

Rows leave no cycles behind, so looking for them often finds nothing, and each look at everything goes through all
that pandas, Arrow and aiohttp keep for good. Measured: a fifth of a run's processor time, and of a check's.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (20_000, 50, 100)


def collect_rarely() -> None:
    """To be called once, after everything is imported: what exists now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
