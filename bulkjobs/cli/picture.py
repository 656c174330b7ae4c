"""A job's graph as text: one line a node, parents above their children, and lines that join and part between them.

Like the graph of ``git log``: it stays readable for chains, joins, unions and several targets alike. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from bulkjobs.graph import nodes as n
from bulkjobs.graph.order import parents_first
from bulkjobs.plain import plain

_ASCII = str.maketrans("●│─├╮┬╯┴┼→", "*|-+.+'++>")
_LONGEST = 200


def picture(nodes: Sequence[n.Node], *, ascii_only: bool = False) -> list[str]:
    """The lines of the picture; every text in it is safe to print. Nodes are numbered in the order that is shown."""
    rows = _Drawing(nodes).lines()
    return [row.translate(_ASCII) for row in rows] if ascii_only else list(rows)


class _Drawing:
    """``lanes[i]`` is the node that the line in lane i leads down to, None where the lane is free."""

    def __init__(self, nodes: Sequence[n.Node]) -> None:
        self._nodes = nodes
        self._places = {node.id: place for place, node in enumerate(nodes)}
        self._parents = [[self._places[p] for p in node.parent_node_ids if p in self._places] for node in nodes]
        self._children: list[list[int]] = [[] for _ in nodes]
        for place, parents in enumerate(self._parents):
            for parent in parents:
                self._children[parent].append(place)
        self._order = self._targets_last()
        self._numbers = {place: number for number, place in enumerate(self._order, start=1)}
        self._lanes: list[int | None] = []

    def lines(self) -> Iterator[str]:
        drawn = list(self._drawn())
        width = max((len(lanes) for lanes, _ in drawn), default=0) + 1
        return (f"{lanes:{width}}{label}".rstrip() for lanes, label in drawn)

    def _drawn(self) -> Iterator[tuple[str, str]]:
        """Lanes and label of each line."""
        ended: int | None = None  # the lane in which the line above ended
        for place in self._order:
            arriving = [lane for lane, to in enumerate(self._lanes) if to == place]
            if len(arriving) > 1:
                yield self._bend(arriving[0], arriving[1:], "╯", "┴"), ""
            lane = arriving[0] if arriving else self._free(0)
            if not arriving and lane == ended:
                yield self._row(None), ""  # or it would seem to hang on the node above
            for other in arriving[1:]:
                self._lanes[other] = None
            self._lanes[lane] = place
            yield self._row(lane), self._label(place)
            yield from self._part(place, lane)
            ended = None if self._children[place] else lane
            while self._lanes and self._lanes[-1] is None:
                self._lanes.pop()

    def _part(self, place: int, lane: int) -> Iterator[tuple[str, str]]:
        children = self._children[place]
        self._lanes[lane] = children[0] if children else None
        new = []
        for child in children[1:]:
            at = self._free(lane + 1)
            self._lanes[at] = child
            new.append(at)
        if new:
            yield self._bend(lane, sorted(new), "╮", "┬"), ""

    def _free(self, least: int) -> int:
        for lane in range(least, len(self._lanes)):
            if self._lanes[lane] is None:
                return lane
        self._lanes += [None] * (max(least - len(self._lanes), 0) + 1)
        return len(self._lanes) - 1

    def _row(self, at: int | None) -> str:
        marks = ("●" if lane == at else "│" if to is not None else " " for lane, to in enumerate(self._lanes))
        return " ".join(marks)

    def _bend(self, at: int, others: Sequence[int], last: str, middle: str) -> str:
        """Lines between lane ``at`` and ``others``, which are right of it."""
        text = []
        for lane, to in enumerate(self._lanes):
            inside = at < lane < others[-1]
            if lane == at:
                mark = "├"
            elif lane in others:
                mark = last if lane == others[-1] else middle
            else:
                mark = "┼" if inside and to is not None else "─" if inside else "│" if to is not None else " "
            text.append(mark + ("─" if at <= lane < others[-1] else " "))
        return "".join(text).rstrip()

    def _targets_last(self) -> list[int]:
        """Parents first, and each source as late as it can be, so that few lines run side by side."""
        sound = set(parents_first(self._parents))  # a node on a cycle is left out: it has no place in any order
        done: dict[int, None] = {}
        for end in (place for place in range(len(self._nodes)) if place in sound and not self._children[place]):
            stack = [(end, False)]
            while stack:
                place, is_open = stack.pop()
                if is_open:
                    done[place] = None
                elif place not in done:
                    stack.append((place, True))
                    stack += [(parent, False) for parent in reversed(self._parents[place]) if parent not in done]
        return list(done)

    def _label(self, place: int) -> str:
        node = self._nodes[place]
        word = str(node.__struct_config__.tag)
        return plain(f"{self._numbers[place]} {word}  {self._detail(node)}".rstrip(), _LONGEST)

    def _number(self, node_id: int) -> str:
        return str(self._numbers.get(self._places.get(node_id, -1), "?"))

    def _detail(self, node: n.Node) -> str:  # noqa: PLR0911, PLR0912  # one case a node type
        match node:
            case n.SourceObs():
                return f"{node.bucket_name}/{node.prefix}  {node.data_type}: {_fields(node.field_list)}"
            case n.TargetObs():
                return f"{node.bucket_name}/{node.prefix}  {node.data_type}{_update(node.update_type)}"
            case n.SourceCatalog():
                return f"{node.database}.{node.table}: {_fields(node.field_list)}"
            case n.TargetCatalog():
                return f"{node.database}.{node.table}{_update(node.update_type)}"
            case n.SourceCdbMysql() | n.SourceCdbPostgresql():
                return f"{node.connection_id} {node.table}: {_fields(node.field_list)}"
            case n.TargetCdbMysql() | n.TargetCdbPostgresql():
                return f"{node.connection_id} {node.table}{_update(node.update_type)}"
            case n.TransformFilter():
                conditions = (f'{c.name} {c.operator} "{c.value}"' for c in node.filter_condition_list)
                return f" {node.filter_type} ".join(conditions)
            case n.TransformDefine():
                return ", ".join(f"{d.name} → {d.new_name}:{d.new_type}" for d in node.define_field_list)
            case n.TransformSelect():
                return _fields(node.field_list)
            case n.TransformRename():
                return ", ".join(f"{r.name} → {r.new_name}" for r in node.rename_field_list)
            case n.TransformJoin():
                left, right = self._number(node.left_node_id), self._number(node.right_node_id)
                on = (
                    f"{left}.{c.left_field} {c.join_operator} {right}.{c.right_field}" for c in node.join_condition_list
                )
                return f"{node.join_type}  {', '.join(on)}"
            case n.TransformUnion():
                return node.union_type
            case n.TransformAggregate():
                made = (f"{a.function}({a.name}) → {a.result_name}" for a in node.aggregate_field_list)
                return f"by {', '.join(node.group_by_list)}: {', '.join(made)}"
            case n.TransformDropDuplication():
                return f"by {', '.join(node.drop_field_list)}"
            case n.TransformFillMissingValues():
                return ", ".join(f'{m.name}: "{m.default_value}"' for m in node.missing_value_field_list)
            case n.TransformSql():
                names = ", ".join(f"{self._number(s.parent_id)} as {s.new_name}" for s in node.source_name_list)
                return f"{names}: {' '.join(node.sql.split())}"


def _fields(fields: Sequence[n.Field]) -> str:
    return ", ".join(field.name for field in fields)


def _update(word: object) -> str:
    return "" if word is UNSET else f"  {word}"
