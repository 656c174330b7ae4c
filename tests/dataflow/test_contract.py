"""createJob's body under each contract."""

import json

import pytest

from bulkjobs.dataflow.contract import Api, Contract
from bulkjobs.errors import UsageError

NODES = b'[{"type":"SOURCE_OBS","id":1}]'


def body(contract: Contract) -> object:
    return json.loads(contract.create_body("job001", NODES))


def test_2025_03_sends_name_and_nodes_and_nothing_else() -> None:
    assert body(Contract()) == {"name": "job001", "nodes": json.loads(NODES)}


def test_2026_09_adds_the_type() -> None:
    assert body(Contract(Api.V2026_09)) == {"name": "job001", "type": "VISUAL", "nodes": json.loads(NODES)}


def test_2026_09_adds_run_options_where_given() -> None:
    sent = body(Contract(Api.V2026_09, "VISUAL", num_worker=4, timeout_minutes=60, max_concurrent_runs=2))
    assert sent == {
        "name": "job001",
        "type": "VISUAL",
        "nodes": json.loads(NODES),
        "maxConcurrentRuns": 2,
        "jobCondition": {"numWorker": 4, "timeout": 60},
    }


@pytest.mark.parametrize(
    "options",
    [
        {"api": Api.V2025_03, "num_worker": 2},
        {"api": Api.V2025_03, "job_type": "VISUAL"},
        {"api": Api.V2025_03, "max_concurrent_runs": 1},
        {"api": Api.V2026_09, "job_type": "SCRIPT"},
        {"api": Api.V2026_09, "num_worker": 1},
        {"api": Api.V2026_09, "num_worker": 11},
        {"api": Api.V2026_09, "timeout_minutes": 0},
        {"api": Api.V2026_09, "timeout_minutes": 1441},
        {"api": Api.V2026_09, "max_concurrent_runs": 0},
    ],
)
def test_what_a_contract_cannot_say_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Contract(**options)  # type: ignore[arg-type]  # wrong values are the point
