"""``python -m tests.simulation --seed N --schedules K [--variant NAME]``: play K schedules from seed N on.

Prints what was played and, of the first failure, the smallest schedule found that still fails, with its trace.
Exit code 1 when a promise broke.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from .play import Played, play
from .schedule import generate
from .shrink import describe, shrink
from .variants import VARIANTS, Variant


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first schedule's seed")
    parser.add_argument("--schedules", type=int, default=10_000, help="how many")
    parser.add_argument("--variant", choices=sorted(VARIANTS), help="break a rule on purpose")
    parser.add_argument("--trace", action="store_true", help="show the first schedule as it plays, whole")
    given = parser.parse_args(arguments)
    variant = VARIANTS[given.variant] if given.variant else None
    if given.trace:
        schedule = generate(given.seed)
        played = play(schedule, variant, traced=True)
        print(describe(schedule), *played.trace, sep="\n")
        return int(bool(played.violations))
    figures: Counter[str] = Counter()
    began = time.monotonic()
    for seed in range(given.seed, given.seed + given.schedules):
        schedule = generate(seed)
        played = play(schedule, variant)
        figures += _figures(played, within=schedule.is_within_promise)
        if played.violations:
            print(f"seed {seed} fails after {time.monotonic() - began:.1f} s; made smaller:\n")
            print(failure(seed, variant))
            return 1
    seconds = time.monotonic() - began
    print(
        f"{given.schedules:,} schedules in {seconds:.1f} s, {1000 * seconds / given.schedules:.2f} ms each; none fails"
    )
    print(", ".join(f"{name}: {count:,}" for name, count in figures.items()))
    return 0


def failure(seed: int, variant: Variant | None = None) -> str:
    """Why this seed fails, as small as it gets: the schedule, its trace, and how to play it again."""
    violation = play(generate(seed), variant).violations[0]
    schedule, played = shrink(generate(seed), violation.broken, variant)
    broken = [f"{found.broken.value}: {found.name or ''} {found.text}" for found in played.violations]
    again = f"the whole of it: python -m tests.simulation --seed {seed} --schedules 1 --trace"
    return "\n".join((describe(schedule), "", *played.trace, "", *broken, again))


def _figures(played: Played, *, within: bool) -> Counter[str]:
    return Counter(
        {
            "runs": played.runs,
            "crashes": played.crashes,
            "creates sent": played.posts,
            "steps": played.steps,
            "beyond the promise": 0 if within else 1,
            "of these with a second job, as the stated limit allows": int(bool(played.forgiven)),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
