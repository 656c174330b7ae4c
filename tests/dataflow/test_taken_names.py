"""Which refusals may mean that the job's name is taken. What a real one says is documented nowhere."""

from __future__ import annotations

import pytest

from bulkjobs.dataflow.taken_names import may_be_taken

NAME = "orders_kr"


@pytest.mark.parametrize(
    "message",
    [
        "name already exists",
        "NAME EXISTS ALREADY",
        "the name is already in use",
        "name is taken",
        "name must be unique",
        "duplicate name",
        "Duplicate job name",
        "jobName conflicts with another",
        "a job with the same name was created from another source already",
        "job 'orders_kr' already exists in this region",
        "orders_kr: target already in use",
        "orders_kr이(가) 이미 존재합니다",
        "Resource already exists",
        "Already exists.",
        "duplicate key value violates unique constraint",
        "작업 이름이 중복되었습니다",
        "이미 존재하는 이름입니다",
        "이미 사용 중인 작업 이름입니다. 대상: 작업",
        "the bucket does not exist and the job name already exists",
    ],
)
def test_what_says_that_the_job_is_there_already_may_be_about_its_name(message: str) -> None:
    assert may_be_taken("bad-parameter", message, NAME)


@pytest.mark.parametrize(
    "message",
    [
        "bucketName is not valid",
        "fieldList name is bad",
        "connection does not exist",
        "duplicate field in fieldList",
        "duplicate name in fieldList",
        "target already in use",
        "job name too long",
        "job name orders_kr is not valid",
        "orders_kr does not exist",
        "it doesn't exist",
        "a non-existing job",
        "no such bucket",
        "nodes: parentNodeIds conflict",
        "the data type conflicts",
        "버킷 이름이 이미 존재합니다",
        "필드 이름이 중복되었습니다",
        "연결이 존재하지 않습니다",
        "작업 이름은 3자 이상이어야 합니다",
        "",
    ],
)
def test_what_is_about_another_part_or_about_the_names_form_is_not(message: str) -> None:
    assert not may_be_taken("bad-parameter", message, NAME)


def test_a_code_may_say_so_too() -> None:
    assert may_be_taken("bad-state", "no", NAME)
    assert may_be_taken("duplicate-name", "no", NAME)
    assert not may_be_taken("duplicate-field", "no", NAME)


@pytest.mark.parametrize("name", ["duplicate_orders", "already-in-use", "conflicts"])
def test_what_the_name_itself_says_means_nothing(name: str) -> None:
    assert not may_be_taken(None, f"job name {name} is not valid", name)
    assert may_be_taken(None, f"{name} exists", name)


def test_a_name_that_is_only_part_of_another_is_not_named() -> None:
    assert not may_be_taken(None, "duplicate field orders_kr_id", NAME)


def test_without_a_name_only_the_words_tell() -> None:
    assert may_be_taken(None, "job name exists", None)
    assert not may_be_taken(None, "duplicate field", None)
