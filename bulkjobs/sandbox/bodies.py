"""Request bodies of both contracts, taken as strictly as the documentation allows (``dataflow-api.md`` §1). Pure.

Either a ``Draft`` comes out, or a Refusal (400 ``bad-parameter``) that says what is wrong. No bytes, however
deep, long or malformed, get any other exception out of here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bulkjobs.sandbox.errors import bad_parameter
from bulkjobs.sandbox.graphs import check_graph
from bulkjobs.sandbox.shapes import check_depth, read_nodes

Api = Literal["2025-03", "2026-09"]

# \Z, since $ also matches before a last newline.
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{2,99}\Z")]
_Nodes = list[dict[str, Any]]


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class _Condition(_Body, frozen=True):
    num_worker: Annotated[int, Meta(ge=2, le=10)] | UnsetType = UNSET
    timeout: Annotated[int, Meta(ge=1, le=1440)] | UnsetType = UNSET
    nrn: str | UnsetType = UNSET
    script_path: str | UnsetType = UNSET
    log_path: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET


class _NameAndNodes(_Body, frozen=True):
    name: _Name
    nodes: _Nodes


class _Put(_NameAndNodes, frozen=True):
    type: Literal["DATAFLOW"]
    is_temp: bool


class _Patch(_Body, frozen=True):
    type: Literal["VISUAL", "SCRIPT"]
    name: _Name | UnsetType = UNSET
    nodes: _Nodes | UnsetType = UNSET
    # At least one run: nothing less could ever start. No upper end is documented.
    max_concurrent_runs: Annotated[int, Meta(ge=1, le=(1 << 31) - 1)] | UnsetType = UNSET
    job_condition: _Condition | UnsetType = UNSET


class _Post(_Patch, frozen=True):
    name: _Name


@dataclass(frozen=True)
class Draft:
    """What a body asks for. ``nodes`` is JSON as replies show it. None: the body does not speak of it."""

    type: str
    name: str | None = None
    nodes: bytes | None = None
    condition: dict[str, Any] | None = None
    max_concurrent_runs: int | None = None
    temporary: bool = False


def read_create(api: Api, body: bytes) -> Draft:
    """createJob: ``name`` is always there in the Draft."""
    return _plain(body) if api == "2025-03" else _typed(_decode(body, _Post))


def read_update(api: Api, body: bytes) -> Draft:
    """updateJob. A temporary save (``isTemp``) is work in progress: its nodes are read, not its graph."""
    if api == "2026-09":
        return _typed(_decode(body, _Patch))
    put = _decode(body, _Put)
    return Draft(put.type, put.name, _nodes(put.nodes, draft=put.is_temp), temporary=put.is_temp)


def read_verify(body: bytes) -> Draft:
    """verifyJob: ``name`` and ``nodes`` under both contracts."""
    return _plain(body)


def _plain(body: bytes) -> Draft:
    read = _decode(body, _NameAndNodes)
    return Draft("DATAFLOW", read.name, _nodes(read.nodes))


def _typed(read: _Patch) -> Draft:
    visual = read.type == "VISUAL"
    nodes = condition = None
    if not isinstance(read.nodes, UnsetType):
        if not visual:
            raise bad_parameter("nodes: only a VISUAL job has nodes")
        nodes = _nodes(read.nodes)
    if not isinstance(read.job_condition, UnsetType):
        if visual and not isinstance(read.job_condition.parameters, UnsetType):
            raise bad_parameter("jobCondition.parameters: only a SCRIPT job has parameters")
        check_depth(read.job_condition.parameters, "jobCondition.parameters")
        condition = msgspec.to_builtins(read.job_condition)
    return Draft(read.type, read.name or None, nodes, condition, read.max_concurrent_runs or None)


def _nodes(raw: _Nodes, *, draft: bool = False) -> bytes:
    try:
        typed = read_nodes(raw)
    except RecursionError:  # converting may reach less deep than decoding did
        raise bad_parameter("nodes: nested too deeply") from None
    if not draft:
        check_graph(typed)
    return msgspec.json.encode(raw)


_T = TypeVar("_T")


def _decode(body: bytes, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=shape)
    except RecursionError:
        raise bad_parameter("body: nested too deeply") from None
    except ValueError as error:  # malformed JSON, wrong shape, bytes that are no UTF-8
        raise bad_parameter(f"body: {error}") from None
