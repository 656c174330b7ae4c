"""What will happen, as data: the service, its faults, strangers, and how each run ends. All from one integer.

A schedule is explicit, so that a failing one can be made smaller by leaving parts out. Times are virtual seconds
from the schedule's beginning; faults are counted over all runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

NAMES = ("daily", "daily-2", "daily-2-eu", "Daily", "_x", "hourly", "hourly_b")
"""Names that contain other names, or differ only in the case of a letter."""

OTHERS = ("a-neighbour", "m-neighbour", "z-neighbour")
"""Jobs that no inventory asks for; their coming and going shifts the pages of a list."""


class Fate(StrEnum):
    """What becomes of one createJob that is not simply answered."""

    LOST = "is lost on its way"
    REPLY_LOST = "is carried out, its reply is lost"
    LATE = "gets no answer and is carried out later"
    ERROR = "is answered 503 and not carried out"
    ERROR_MADE = "is answered 503 and carried out"
    ERROR_LATE = "is answered 502 and carried out later"
    NO_ID = "is answered 201 without a jobId and carried out"
    NO_ID_LATE = "is answered 201 without a jobId and carried out later"
    NO_ID_LOST = "is answered 201 without a jobId and never carried out"
    AMBIGUOUS = "is answered 409 and not carried out"
    AMBIGUOUS_MADE = "is answered 408 and carried out"
    NOT_SENT = "never leaves: connection refused"
    CERTIFICATE = "never leaves: the certificate is not valid"
    THROTTLED = "is answered 429/410"
    THROTTLED_ODDLY = "is answered 429 without a code and carried out"
    REJECTED = "is answered 400 bad-parameter"
    REJECTED_NAME = "is answered 400 as if the name were taken, though it is free"
    REVOKED = "is answered 401: the keys are revoked"
    QUOTA = "is answered 429/400: the quota is used up"


class ReadFate(StrEnum):
    """What becomes of one read that is not simply answered."""

    SILENT = "gets no answer"
    ERROR = "is answered 503"
    THROTTLED = "is answered 429/410"
    NOT_SENT = "never leaves: connection refused"
    REFUSED = "is answered 400"
    REPEATED = "is answered with the page before it"
    DROPS = "is answered, and then a job on that page is deleted by somebody else"
    ADDS = "is answered, and then somebody else makes a job"
    REVOKED = "is answered 401: the keys are revoked"


class Ending(StrEnum):
    """How a run is ended from outside."""

    CRASH = "is killed"
    STOP = "is interrupted"
    DISK_FULL = "finds the disk full"


class Deed(StrEnum):
    """What somebody else does at the service."""

    TAKES_NAME = "makes a job of the same name"
    TAKES_NAME_ALIKE = "makes an equal job of the same name"
    DELETES = "deletes the jobs of the name, which stay listed as DELETED"
    REMOVES = "deletes the jobs of the name without a trace"
    REMOVES_ALL = "deletes all jobs without a trace"
    ADDS = "makes another job"
    DROPS = "deletes another job"


@dataclass(frozen=True, slots=True)
class CreateFault:
    """``delay`` until the client hears or gives up, ``late`` from then until the job is made, seconds."""

    index: int
    fate: Fate
    delay: float
    late: float
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class ReadFault:
    index: int
    fate: ReadFate
    delay: float
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Outage:
    """Begins ``begin`` seconds after the n-th createJob left (0: after the schedule's beginning).

    ``kind``: refused, silent, error, ``lists`` (only reads, and they are refused as if they were wrong), or
    ``throttled`` (everything is refused for its rate), which is not drawn.
    """

    after: int
    begin: float
    length: float
    kind: str


@dataclass(frozen=True, slots=True)
class Event:
    at: float
    deed: Deed
    name: str


@dataclass(frozen=True, slots=True)
class Edit:
    """The inventory of one run differs: a row ``changed``, ``dropped``, or all ``reversed``."""

    what: str
    row: int


@dataclass(frozen=True, slots=True)
class Run:
    """``ending`` happens at step ``at`` (DISK_FULL: at that commit). ``pause`` before the run, seconds.

    ``after``: steps count from the run's n-th createJob on; 0: from its beginning.
    ``is_elsewhere``: on another machine, so without the journal, and not sooner than settle after the last run.
    """

    ending: Ending
    at: int
    pause: float
    after: int = 0
    edit: Edit | None = None
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """``lag``: a job becomes visible in lists at most so late; ``late``: the longest late commit.

    ``refuses``: the service refuses a name that is taken; ``plainly``: and says so. ``page``: items on a page at
    most. ``newest_first``: the order of a list. ``part``: the name filter finds parts of names as well.
    ``reserved``: seconds for which the name of a DELETED job stays taken. ``crowd``: jobs that no inventory asks
    for and that are there from the beginning.
    """

    seed: int
    rows: tuple[str, ...]
    lag: float
    late: float
    latency: float
    refuses: bool
    plainly: bool
    page: int
    newest_first: bool
    part: bool
    reserved: float
    crowd: int
    rate: float | None
    concurrency: int
    settle: float
    max_attempts: int
    patience: float
    creates: tuple[CreateFault, ...]
    reads: tuple[ReadFault, ...]
    outages: tuple[Outage, ...]
    events: tuple[Event, ...]
    runs: tuple[Run, ...]

    @property
    def is_within_promise(self) -> bool:
        return self.lag + self.late <= self.settle


_UNKNOWN = (Fate.LOST, Fate.REPLY_LOST, Fate.LATE, Fate.ERROR, Fate.ERROR_MADE, Fate.ERROR_LATE)
_ODD = (Fate.NO_ID, Fate.NO_ID_LATE, Fate.NO_ID_LOST, Fate.AMBIGUOUS, Fate.AMBIGUOUS_MADE, Fate.THROTTLED_ODDLY)
_PLAIN = (Fate.NOT_SENT, Fate.THROTTLED, Fate.REJECTED, Fate.REJECTED_NAME)
_HALTING = (Fate.REVOKED, Fate.QUOTA, Fate.CERTIFICATE)
_FATES = _UNKNOWN * 6 + _ODD * 3 + _PLAIN * 3 + _HALTING
_READ_FATES = (ReadFate.SILENT, ReadFate.ERROR, ReadFate.THROTTLED, ReadFate.NOT_SENT) * 3 + (
    *(ReadFate.DROPS, ReadFate.ADDS, ReadFate.REPEATED) * 4,
    *(ReadFate.REFUSED, ReadFate.REFUSED, ReadFate.REVOKED),
)
_RETRY_AFTER = (None, None, 1.0, 7.0)
_ENDINGS = (Ending.CRASH,) * 8 + (Ending.STOP, Ending.DISK_FULL)


def generate(seed: int) -> Schedule:
    """The schedule of this seed. About one in eight goes beyond the promise: a job may appear after settle."""
    random = Random(seed)
    chance, uniform, choice = random.random, random.uniform, random.choice
    rows = tuple(random.sample(NAMES, choice((1, 1, 2, 2, 3, 3, 4, 6))))
    lag = choice((0.0, 0.0, uniform(0, 3), uniform(2, 12)))
    late = choice((0.0, uniform(0, 2), uniform(1, 10)))
    settle = lag + late + choice((0.0, 0.5, 3.0))
    if chance() < 0.125:
        settle *= uniform(0.1, 0.9)
    latency = choice((0.01, 0.01, 0.2, 1.0))
    busy = uniform(0, 1)
    creates = tuple(
        CreateFault(
            index,
            choice(_FATES),
            choice((latency, uniform(0, 3), 30.0)),
            choice((late, uniform(0, late))),
            choice(_RETRY_AFTER),
        )
        for index in range(2 * len(rows) + 3)
        if chance() < busy
    )
    reads: tuple[ReadFault, ...] = ()
    if chance() < 0.5:
        reads = tuple(
            ReadFault(index, choice(_READ_FATES), choice((latency, uniform(0, 3), 30.0)), choice(_RETRY_AFTER))
            for index in range(24)
            if chance() < 0.15
        )
    horizon = settle + 10.0
    outages = tuple(
        Outage(
            int(uniform(0, len(rows) + 1)),
            choice((0.0, uniform(0, horizon))),
            choice((uniform(0, 5), uniform(10, 300))),
            choice(("refused", "silent", "error", "lists", "lists")),
        )
        for _ in range(choice((0, 0, 1)))
    )
    events = tuple(
        sorted(
            (
                _event(random, rows, 0.0 if chance() < 0.2 else uniform(0, 2 * horizon))
                for _ in range(choice((0, 0, 1, 4)))
            ),
            key=lambda event: event.at,
        )
    )
    runs = tuple(_run(random, rows) for _ in range(choice((0, 1, 1, 1, 2, 3))))
    return Schedule(
        seed=seed,
        rows=rows,
        lag=lag,
        late=late,
        latency=latency,
        refuses=chance() < 0.4,
        plainly=chance() < 0.7,
        page=choice((2, 2, 3, 1000)),
        newest_first=chance() < 0.5,
        part=chance() < 0.5,
        reserved=choice((0.0, settle / 2, settle)),
        crowd=choice((0, 0, 1, 3, 5)),
        rate=choice((1.0, 2.5, 5.0, 10.0, 50.0, None)),
        concurrency=choice((1, 2, 4, 32)),
        settle=settle,
        max_attempts=choice((1, 2, 3, 8)),
        patience=choice((20.0, 60.0, 900.0)),
        creates=creates,
        reads=reads,
        outages=outages,
        events=events,
        runs=runs,
    )


def _run(random: Random, rows: tuple[str, ...]) -> Run:
    ending = random.choice(_ENDINGS)
    after = 0
    if ending is Ending.DISK_FULL:
        at = int(random.uniform(1, 12))
    elif random.random() < 0.5:
        after, at = int(random.uniform(1, len(rows) + 1)), int(random.uniform(1, 15))
    else:
        at = int(random.uniform(1, 70 + 35 * len(rows)))
    edit = None
    if random.random() < 0.25:
        edit = Edit(random.choice(("changed", "dropped", "reversed")), random.randrange(len(rows)))
    pause = random.choice((0.0, random.uniform(0, 0.2), random.uniform(0, 1), random.uniform(0, 30)))
    return Run(ending, at, pause, after, edit, is_elsewhere=random.random() < 0.1)


def _event(random: Random, rows: tuple[str, ...], at: float) -> Event:
    deed = random.choice((*Deed, Deed.ADDS, Deed.ADDS, Deed.DROPS, Deed.DROPS))
    return Event(at, deed, random.choice(OTHERS if deed in (Deed.ADDS, Deed.DROPS) else rows))
