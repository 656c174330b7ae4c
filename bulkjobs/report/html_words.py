"""What ``report.html`` says in sentences: how a run ended, what each outcome means, what to do about a failure.

Pure. Whatever comes from the service, the inventory or the run's reason is returned as it is: the page makes it inert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkjobs.counted import counted
from bulkjobs.engine.records import SUCCEEDED, Outcome, RunRecord
from bulkjobs.report.share import shard_of, share
from bulkjobs.report.unseen import not_looked_at, unseen_said

MEANING = {
    Outcome.CREATED: "made by this run",
    Outcome.ADOPTED: "made by an attempt whose reply was lost, then found and recognised",
    Outcome.EXISTING: "was there before, and is equal",
    Outcome.UPDATED: "was there, and was brought up to the inventory",
    Outcome.DELETED: "was deleted, as asked",
    Outcome.DRIFTED: "is there with another definition, and was left alone",
    Outcome.CONFLICT: "the name is taken by a job that is not ours",
    Outcome.REJECTED: "the service refused the row",
    Outcome.UNRESOLVED: "sent, but it could not be learned whether the job was made",
    Outcome.NOT_SENT: "was not made by this run",
    Outcome.INVALID: "the row has errors",
}
"""In the order in which the page shows them: the good ones first."""

_AGAIN = "Run the same command again: rows that have their job are left alone, and it goes on where it was."
_CORRECT = "Correct the row in the inventory, or in retry.csv beside this page, and submit it again."

_ADVICE = {
    Outcome.DRIFTED: "If the inventory is right, bulkjobs reconcile updates the job (bulkjobs plan shows "
    "first what would change); if the job is right, correct the row.",
    Outcome.CONFLICT: "Give the row another name, or rename or delete the other job in the console; then submit it "
    "again.",
    Outcome.REJECTED: f"The service said why. {_CORRECT}",
    Outcome.UNRESOLVED: "Wait a minute, then run the same command again: it looks the jobs up before it sends "
    "anything, so nothing is made twice.",
    Outcome.NOT_SENT: _AGAIN,
    Outcome.INVALID: "Correct the row in the inventory; bulkjobs validate lists every problem of the file at once.",
}

_ADVICE_BY_REPLY = {
    (401, "210"): "Give the account permission for Data Flow, then run the same command again.",
    (401, None): "Check the access key, the secret key and this machine's clock, then run the same command again.",
    (403, None): "Give the account permission for Data Flow, then run the same command again.",
    (404, None): "Check --endpoint, then run the same command again.",
    (429, "400"): "The quota is used up: run the same command again when it is renewed.",
}
"""For rows that were not sent, by HTTP status and code, else by status alone (``dataflow-api.md`` §7)."""

_ADVICE_BY_CODE = {
    (Outcome.CONFLICT, "several-jobs"): "Several jobs have this name. Keep one and delete the others in the console; "
    "then run the same command again.",
    (Outcome.NOT_SENT, "certificate"): "The server's certificate is not valid: check --endpoint. TLS is always "
    "verified.",
    (Outcome.NOT_SENT, "connect"): "The service could not be reached: check the network and --endpoint, then run the "
    "same command again.",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """What happened, in one sentence, and why the run ended early, if it did.

    ``tone``: ``good``, ``mixed`` or ``bad``. ``state``: one or two words for how the run ended.
    """

    text: str
    why: str | None
    tone: str
    state: str


def headline(run: RunRecord, rows: int, counts: Mapping[str, int]) -> Headline:
    """How the run ended. ``counts``: rows by outcome. That a row has no job is said only where that is known."""
    if run.state == "invalid":
        return Headline(_invalid(rows, counts), _WHY_INVALID, "bad", "invalid inventory")
    done = sum(counts.get(outcome.value, 0) for outcome in SUCCEEDED)
    is_finished = run.state == "finished"
    if not rows and run.removals:
        return _headline_of_removals(run)
    if not rows:
        text = _no_rows(run) if is_finished else "The run ended before it had read a row."
        tone = "good" if is_finished else "bad"
    elif done == rows:
        text = f"{_standing(done, rows, counts)}{_kinds(counts, succeeded=True)}{_time(run)}."
        tone = "good" if is_finished else "mixed"
    else:
        is_sure = not (counts.get(Outcome.UNRESOLVED) or not_looked_at(run.state, run.facts, counts))
        text = f"{_standing(done, rows, counts, is_sure=is_sure)}{_kinds(counts, succeeded=False)}."
        tone = "mixed" if done else "bad"
    why, unseen = _why(run), unseen_said(run.state, run.facts, counts)
    if why and unseen:
        why = f"{why.removesuffix('.')}. {unseen}"
    return Headline(text, why or unseen, tone, run.state)


def advice(outcome: Outcome, http_status: int | None, code: str | None, state: str = "finished") -> str:
    """What to do next about rows that ended so in a run of that ``state``, in one or two sentences."""
    if outcome is Outcome.NOT_SENT and state == "invalid":
        return "Nothing is wrong with these rows: they are sent when the others are correct."
    if outcome is Outcome.NOT_SENT and http_status is not None:
        for reply in ((http_status, code), (http_status, None)):
            if reply in _ADVICE_BY_REPLY:
                return _ADVICE_BY_REPLY[reply]
    if outcome is Outcome.NOT_SENT and http_status is None and code is None and state == "halted":
        return "See to the reason, then run the same command again: rows that have their job are left alone."
    by_code = _ADVICE_BY_CODE.get((outcome, code)) if code is not None else None
    return by_code or _ADVICE.get(outcome, "")


def retries(facts: Mapping[str, object], attempts: Mapping[int, int], adopted: int) -> Sequence[str]:
    """What there is to say about second attempts, one sentence each. ``attempts``: rows by number of attempts."""
    several = sum(rows for number, rows in attempts.items() if number > 1)
    throttles = facts.get("throttles")
    said = [f"{counted(several, 'row')} took more than one attempt." if several else "No row took a second attempt."]
    if adopted:
        subject = f"{counted(adopted, 'job')} {'was' if adopted == 1 else 'were'} adopted"
        said.append(f"{subject}: the reply to a create was lost, and the job was found by name instead of made again.")
    else:
        said.append("No job had to be adopted.")
    if isinstance(throttles, int):
        asked = f"The service asked {counted(throttles, 'time')} to slow down: a send that is refused so is no attempt."
        said.append(asked if throttles else "The service never asked to slow down.")
    return said


def duration(seconds: float) -> str:
    """``850 ms``, ``12.4 s``, ``2 min 5 s``, ``3 h 12 min``: for texts and labels."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def _headline_of_removals(run: RunRecord) -> Headline:
    """Of a run that had jobs to delete and nothing else."""
    jobs = len(run.removals)
    deleted = sum(removal["outcome"] == Outcome.DELETED for removal in run.removals)
    if deleted == jobs:
        text = f"All {jobs:,} jobs are deleted." if jobs > 1 else "The one job is deleted."
        return Headline(text, _why(run), "good" if run.state == "finished" else "mixed", run.state)
    text = f"{deleted:,} of {jobs:,} jobs {'is' if deleted == 1 else 'are'} deleted."
    if jobs == 1:
        text = "The one job is not deleted."
    return Headline(text, _why(run), "mixed" if deleted else "bad", run.state)


def _no_rows(run: RunRecord) -> str:
    shard = shard_of(run.facts)
    if shard is None:
        return "The run has no rows."
    return f"Shard {share(shard, 0, [file.rows for file in run.inventories])}."


def _invalid(rows: int, counts: Mapping[str, int]) -> str:
    wrong = counts.get(Outcome.INVALID, 0)
    if not rows:
        return "Nothing was sent: the inventory has errors."
    return f"Nothing was sent: {wrong:,} of {counted(rows, 'row')} {'has' if wrong == 1 else 'have'} errors."


def _standing(done: int, rows: int, counts: Mapping[str, int], *, is_sure: bool = True) -> str:
    one, many, not_one, not_many = "has its job", "have their job", "does not", "do not"
    if counts.get(Outcome.DELETED):
        one, many = "is as asked", "are as asked"
    elif not is_sure:
        one, many, not_one, not_many = "is known to have its job", "are known to have their job", "is not", "are not"
    if done == rows:
        return f"All {rows:,} rows {many}" if rows > 1 else f"The one row {one}"
    if not done:
        return f"None of the {rows:,} rows {one}" if rows > 1 else "The one row is not done"
    rest = f"{rows - done:,} {not_one if rows - done == 1 else not_many}"
    return f"{done:,} of {rows:,} rows {one if done == 1 else many}; {rest}"


def _kinds(counts: Mapping[str, int], *, succeeded: bool) -> str:
    """The outcomes, if they are few enough for a sentence; the chart below it shows them all."""
    kinds = [outcome for outcome in MEANING if counts.get(outcome) and (outcome in SUCCEEDED) is succeeded]
    if len(kinds) > _FEW:
        return ""
    said = [f"{counts[outcome]:,} {outcome.value.replace('_', ' ')}" for outcome in kinds]
    return f": {', '.join(said)}"


def _time(run: RunRecord) -> str:
    return "" if run.ended_at is None else f", in {duration(max(0, run.ended_at - run.started_at) / 1000)}"


_FEW = 3
_WHY_INVALID = "An inventory is sent as a whole or not at all. Correct these rows and submit it again."
_ENDS = {
    "running": "The run is still going on: this is how it stands.",
    "killed": "The run was killed before its end. Run the same command again: it goes on where it was.",
    "interrupted": "The run was interrupted. Run the same command again: it goes on where it was.",
}


def _why(run: RunRecord) -> str | None:
    if run.state == "finished":
        return None
    if run.state in _ENDS:
        return _ENDS[run.state]
    return f"The run ended early: {run.reason}" if run.reason else "The run ended early."
