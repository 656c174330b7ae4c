"""What is wrong with the graph that a row becomes: asked once per distinct graph, not once per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bulkjobs.graph.checks import check_graph
from bulkjobs.graph.filters import value_problem
from bulkjobs.graph.finding import quoted
from bulkjobs.graph.flow import flow
from bulkjobs.graph.nodes import Node, TransformFilter
from bulkjobs.inventory.problems import Severity

OVERWRITES = "overwrites-source"
"""The code of a target that lies where a source of the same graph does."""

_decoder = msgspec.json.Decoder(list[Node])


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding. ``node`` is the label of the node that it is about, None for the graph as a whole."""

    node: str | None
    severity: Severity
    code: str
    message: str
    hint: str | None


def judge_nodes(nodes: Sequence[Node], labels: Sequence[str]) -> list[Verdict]:
    """All findings of the graph rules, and filter values that do not fit the type of their field."""
    found = [
        Verdict(
            None if finding.node is None else labels[finding.node],
            finding.severity,
            finding.code,
            finding.message,
            finding.hint,
        )
        for finding in check_graph(nodes, labels)
    ]
    if not any(verdict.severity == "error" for verdict in found):
        found += _filter_values(nodes, labels)
    return found


def judge_json(text: bytes, labels: Sequence[str]) -> list[Verdict]:
    """The same for the JSON of nodes that were typed before."""
    return judge_nodes(_decoder.decode(text), labels)


def _filter_values(nodes: Sequence[Node], labels: Sequence[str]) -> list[Verdict]:
    filters = [(place, node) for place, node in enumerate(nodes) if isinstance(node, TransformFilter)]
    if not filters:
        return []
    arriving = flow(nodes).arriving
    found = []
    for place, node in filters:
        fields = arriving[place] or {}
        for condition in node.filter_condition_list:
            word = fields.get(condition.name)
            message = value_problem(condition, word) if word else None
            if message:
                message = f"node {quoted(labels[place])}: {message}"
                hint = "compare with a value of that type, or correct the type in the list of fields"
                found.append(Verdict(labels[place], "warning", "value-type", message, hint))
    return found
