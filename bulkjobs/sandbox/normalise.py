"""A job as a service might show it: nothing that means anything is changed (``dataflow-api.md`` §6). Pure.

Reorders (keys, nodes, parents, lists that are sets), completes (empty ``properties``, ``updateType``, ``coalesce``,
``description``, an empty ``nrn``), drops (what is empty), and writes numbers for digits and field types in capitals.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bulkjobs.sandbox.jobs import Job

_SETS = ("parentNodeIds", "filterConditionList", "dropFieldList", "missingValueFieldList", "sourceNameList")
_FIELDS = ("fieldList", "properties")


def normalised(job: Job) -> Job:
    """The same job, shown differently."""
    nodes = [_node(node) for node in reversed(msgspec.json.decode(job.nodes, type=list[dict[str, Any]]))]
    return msgspec.structs.replace(job, nodes=msgspec.Raw(msgspec.json.encode(nodes)))


def _node(node: dict[str, Any]) -> dict[str, Any]:
    shown = {key: _value(key, value) for key, value in sorted(node.items()) if value not in ("", [], None)}
    if str(node.get("type")).startswith("TARGET"):
        shown.setdefault("updateType", "OVERWRITE")
        shown.setdefault("coalesce", 1)
    if "regionNo" in shown and str(shown["regionNo"]).isdigit():
        shown["regionNo"] = int(shown["regionNo"])
    return shown | {"description": ""}


def _value(key: str, value: Any) -> Any:
    if key in _FIELDS and isinstance(value, list):
        return [_field(field) for field in value]
    if key in _SETS and isinstance(value, list):
        return [dict(reversed(item.items())) if isinstance(item, dict) else item for item in reversed(value)]
    return value


def _field(field: dict[str, Any]) -> dict[str, Any]:
    properties = [_field(part) for part in field.get("properties") or []]
    return {"properties": properties, "type": str(field["type"]).upper(), "name": field["name"]}
