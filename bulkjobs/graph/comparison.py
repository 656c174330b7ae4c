"""The rules by which definitions are compared: the built-in table, with a user's own rules before it.

A user's rules are the ``[[compare]]`` tables of the configuration file::

    [[compare]]
    keys = ["updateType"]
    how = "never"
    reason = "our console sets it"

``keys`` are documented keys as they travel, wherever they stand in a node. ``how``: ``exact``, ``any_case`` (of
texts and numbers), ``sequence``, ``set`` (of lists), ``if_sent`` (of a node's own texts and numbers), ``never``.
Ids and what holds them are compared as the built-in table says; so is ``name``, which tells fields apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, get_args, get_origin

import msgspec

from bulkjobs.errors import UsageError
from bulkjobs.graph import nodes as n
from bulkjobs.graph.definition import Difference, differences
from bulkjobs.graph.meaning import NESTED, RULES, How, NodeShape, Rule, node_shapes
from bulkjobs.graph.suggest import nearest
from bulkjobs.graph.wire import keys_of
from bulkjobs.plain import plain

_WORDS = {
    "exact": How.EXACT,
    "any_case": How.ANY_CASE,
    "sequence": How.SEQUENCE,
    "set": How.SET,
    "if_sent": How.IF_SENT,
    "never": How.NEVER,
}
_FIXED = frozenset({key for rule in RULES if rule.how is How.REFERENCE for key in rule.keys} | {"id", "name"})
_LISTS_ONLY = frozenset({How.SEQUENCE, How.SET})
_SCALARS_ONLY = frozenset({How.EXACT, How.ANY_CASE, How.IF_SENT})


@dataclass(frozen=True)
class Comparison:
    """``rules`` hold before the built-in ones. ``tag`` tells sets of rules apart, None if there are none of one's own.

    What a comparison found is worth nothing under another tag; the reasons are not part of it.
    """

    rules: tuple[Rule, ...] = ()
    tag: str | None = field(init=False)
    _shapes: Mapping[str, NodeShape] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = ";".join(f"{','.join(rule.keys)}={rule.how.name}" for rule in self.rules)
        tag = hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if self.rules else None
        object.__setattr__(self, "tag", tag)
        object.__setattr__(self, "_shapes", node_shapes((*self.rules, *RULES)))

    def differences(self, ours: bytes, remote: object) -> list[Difference]:
        """As ``definition.differences``, by these rules."""
        return differences(ours, remote, self._shapes)

    def same(self, ours: bytes, remote: object) -> bool:
        """Whether a job's ``remote`` nodes, decoded, mean the same as ``ours``, the nodes as we would send them."""
        return not self.differences(ours, remote)


BUILT_IN = Comparison()


def read_rules(tables: object, source: str) -> tuple[Rule, ...]:
    """The rules of ``[[compare]]``, as TOML gives them. ``source`` names the file. Raises UsageError."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{source}: compare: must be a list of tables", "write [[compare]] before each rule")
    return tuple(_Reader(f"{source}: compare rule {number}", table).rule() for number, table in enumerate(tables, 1))


@dataclass(frozen=True, slots=True)
class _Reader:
    where: str
    table: Mapping[str, object]

    def rule(self) -> Rule:
        known = ("keys", "how", "reason")
        for key in self.table:
            if key not in known:
                self._fail(f"unknown key {plain(key, 60)!r}", _did_you_mean(key, known))
        how, keys = self._how(), self._keys()
        reason = self.table.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            self._fail("`reason` is missing", "write why these values mean the same: the next reader will ask")
        for key in keys:
            self._check(key, how)
        return Rule(keys, how, reason)

    def _how(self) -> How:
        word = self.table.get("how")
        how = _WORDS.get(word) if isinstance(word, str) else None
        if how is None:
            self._fail(f"`how` is {plain(str(word), 60)!r}", f"one of {', '.join(_WORDS)}")
        return how

    def _keys(self) -> tuple[str, ...]:
        keys = self.table.get("keys")
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
            self._fail("`keys` must be a list of texts", 'for example keys = ["updateType"]')
        return tuple(keys)

    def _check(self, key: str, how: How) -> None:
        shown = plain(key, 60)
        if key in _FIXED:
            why = "it tells fields and nodes apart" if key == "name" else "it says how the nodes hang together"
            self._fail(f"{key} cannot have a rule: {why}", "leave it out")
        if key not in _KEYS:
            hint = _did_you_mean(key, sorted(_KEYS))
            self._fail(f"no node has a key {shown!r}", f"{hint}; what is not documented is passed over anyway")
        is_list = _KEYS[key]
        if how in _LISTS_ONLY and not is_list:
            self._fail(f"{key} is no list, so it cannot be compared as {how.name.lower()}", "use exact or any_case")
        if how in _SCALARS_ONLY and is_list:
            self._fail(f"{key} is a list, so it cannot be compared as {how.name.lower()}", "use sequence or set")
        if how is How.IF_SENT and key in _NESTED_KEYS:
            self._fail(f"{key} stands within lists, so it cannot be compared as if_sent", "use never")

    def _fail(self, message: str, hint: str) -> NoReturn:
        raise UsageError(f"{self.where}: {message}", hint)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = nearest(word, known)
    return f"did you mean {near}?" if near else f"known here: {', '.join(known)}"


def _is_list(annotation: object) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def _lists(classes: Sequence[type[msgspec.Struct]]) -> dict[str, bool]:
    """Every key of some structures, and whether its value is a list."""
    return {key.name: _is_list(key.type) for cls in classes for key in keys_of(cls).values()}


_NESTED_KEYS = frozenset(_lists(tuple(NESTED.values())))
_KEYS = {**_lists(tuple(NESTED.values())), **_lists(tuple(n.NODE_TYPES.values()))}
