"""The control endpoint for tests, and jobs shown as a service might."""

from __future__ import annotations

from .conftest import Start, example


async def test_there_is_no_control_unless_it_is_asked_for(start: Start) -> None:
    call = await start()
    assert (await call("GET", "/control/jobs")).status == 404


async def test_a_hand_edit_shows_at_once_with_a_later_date(start: Start) -> None:
    call = await start(control=True)
    made = (await call.create()).body
    nodes = example()["nodes"]
    nodes[1]["filterConditionList"][0]["value"] = "by hand"
    edit = {"nodes": nodes, "status": "RUNNING", "lastExecutionStatus": "RUNNING"}
    assert (await call("POST", f"/control/jobs/{made['jobId']}", edit)).body is True
    seen = (await call("GET", f"/api/v1/jobs/{made['jobId']}")).body
    assert (seen["nodes"], seen["status"], seen["lastExecutionStatus"]) == (nodes, "RUNNING", "RUNNING")
    assert seen["updatedDate"] > made["updatedDate"]
    (listed,) = (await call("GET", "/api/v1/jobs")).body["list"]
    assert (listed["updatedDate"], listed["lastExecutionStatus"]) == (seen["updatedDate"], "RUNNING")
    assert (await call("DELETE", f"/control/jobs/{made['jobId']}")).body is True
    assert (await call("GET", "/control/jobs")).body == []


async def test_what_is_no_edit_is_refused(start: Start) -> None:
    call = await start(control=True)
    path = f"/control/jobs/{(await call.create()).body['jobId']}"
    session, url = call.session, call.sandbox.endpoint + path
    async with session.post(url, json={"color": "red"}) as reply:
        assert reply.status == 400
    async with session.post(url, data="{}") as reply:
        assert reply.status == 415
    async with session.post(url + "x", json={}) as reply:
        assert reply.status == 404


async def test_a_normalising_service_shows_the_same_job_differently(start: Start) -> None:
    call = await start(normalise=True)
    made = (await call.create()).body
    assert [node["type"] for node in made["nodes"]] == ["TARGET_OBS", "TRANSFORM_FILTER", "SOURCE_OBS"]
    source = made["nodes"][2]
    assert source["regionNo"] == 1
    assert source["fieldList"][0] == {"properties": [], "type": "STRING", "name": "id"}
    assert "parentNodeIds" not in source
    assert (await call("GET", f"/api/v1/jobs/{made['jobId']}")).body == made
