"""What reached a sandbox, counted for tests and for people who watch one."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """``requests`` counts arrivals by operation (``createJob``, …, ``unknown``), refused ones included.

    ``replies`` counts answers by HTTP status. ``create_times``: when each createJob arrived, refused ones
    included, in seconds of the sandbox's clock; an array, since a million of them must fit.
    """

    requests: Counter[str] = field(default_factory=Counter)
    replies: Counter[int] = field(default_factory=Counter)
    create_times: array[float] = field(default_factory=lambda: array("d"))
