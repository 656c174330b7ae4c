"""The 18 node types of Data Flow as typed structures, exactly as they travel (``dataflow-api.md`` §5).

A structure decodes what the service sends (unknown keys are ignored) and encodes what createJob takes:
optional keys that were not given are left out. Nothing here checks a graph: see ``checks``.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

SourceDataType = Literal["JSON", "CSV", "PARQUET", "NDJSON"]
TargetDataType = Literal["JSON", "CSV", "PARQUET"]
UpdateType = Literal["OVERWRITE", "APPEND", "IGNORE"]
FilterType = Literal["AND", "OR"]
Operator = Literal["EQ", "NE", "GT", "LT", "GTE", "LTE"]
JoinType = Literal["INNER", "LEFT_OUTER", "RIGHT_OUTER", "FULL_OUTER"]
ConditionOperator = Literal["HEAD", "AND", "OR"]
UnionType = Literal["ALL", "DISTINCT"]
AggregateFunction = Literal["SUM", "AVG", "MAX", "MIN"]

FIELD_TYPES = (
    "void", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "string", "char", "varchar",
    "date", "datetime", "timestamp", "decimal", "binary", "timestampwithtimezone", "array", "map", "struct",
    "uniontype",
)  # fmt: skip
"""Field types, lower-case; the service takes any letter case."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One column of data. ``properties`` nests fields; the service answers ``[]`` where nothing was sent."""

    name: str
    type: str
    properties: list[Field] | UnsetType = UNSET


class FilterCondition(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    operator: Operator
    value: str


class DefineField(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    new_type: str
    new_name: str


class RenameField(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    new_name: str


class JoinCondition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    left_field: str
    right_field: str
    join_operator: Operator
    condition_operator: ConditionOperator


class AggregateField(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    result_name: str = msgspec.field(name="ResultName")  # capital R as printed in the documentation
    function: AggregateFunction


class MissingValueField(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    default_value: str


class SourceName(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    parent_id: int
    new_name: str


class _Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type"):
    """What every node has: an id (13 digits in the examples, chosen by the client), a name, its parents' ids."""

    id: int
    name: str
    parent_node_ids: list[int]


class SourceObs(_Node, frozen=True, kw_only=True, tag="SOURCE_OBS"):
    region_no: str
    bucket_name: str
    prefix: str
    data_type: SourceDataType
    field_list: list[Field]


class TargetObs(_Node, frozen=True, kw_only=True, tag="TARGET_OBS"):
    region_no: str
    bucket_name: str
    prefix: str
    data_type: TargetDataType
    update_type: UpdateType | UnsetType = UNSET
    field_list: list[Field]
    coalesce: int | UnsetType = UNSET


class SourceCatalog(_Node, frozen=True, kw_only=True, tag="SOURCE_CATALOG"):
    database: str
    table: str
    schema_version: str
    field_list: list[Field]


class TargetCatalog(_Node, frozen=True, kw_only=True, tag="TARGET_CATALOG"):
    database: str
    table: str
    schema_version: str
    update_type: UpdateType | UnsetType = UNSET
    field_list: list[Field]
    coalesce: int | UnsetType = UNSET


class _SourceCdb(_Node, frozen=True, kw_only=True):
    connection_id: str
    table: str
    field_list: list[Field]


class _TargetCdb(_Node, frozen=True, kw_only=True):
    connection_id: str
    table: str
    update_type: UpdateType | UnsetType = UNSET
    field_list: list[Field]


class SourceCdbMysql(_SourceCdb, frozen=True, kw_only=True, tag="SOURCE_CDB_MYSQL"):
    pass


class SourceCdbPostgresql(_SourceCdb, frozen=True, kw_only=True, tag="SOURCE_CDB_POSTGRESQL"):
    pass


class TargetCdbMysql(_TargetCdb, frozen=True, kw_only=True, tag="TARGET_CDB_MYSQL"):
    pass


class TargetCdbPostgresql(_TargetCdb, frozen=True, kw_only=True, tag="TARGET_CDB_POSTGRESQL"):
    pass


class TransformFilter(_Node, frozen=True, kw_only=True, tag="TRANSFORM_FILTER"):
    filter_type: FilterType
    filter_condition_list: list[FilterCondition]


class TransformDefine(_Node, frozen=True, kw_only=True, tag="TRANSFORM_DEFINE"):
    define_field_list: list[DefineField]


class TransformSelect(_Node, frozen=True, kw_only=True, tag="TRANSFORM_SELECT"):
    field_list: list[Field]


class TransformRename(_Node, frozen=True, kw_only=True, tag="TRANSFORM_RENAME"):
    rename_field_list: list[RenameField]


class TransformJoin(_Node, frozen=True, kw_only=True, tag="TRANSFORM_JOIN"):
    join_type: JoinType
    left_node_id: int
    right_node_id: int
    join_condition_list: list[JoinCondition]
    prefix: str | UnsetType = UNSET


class TransformUnion(_Node, frozen=True, kw_only=True, tag="TRANSFORM_UNION"):
    union_type: UnionType


class TransformAggregate(_Node, frozen=True, kw_only=True, tag="TRANSFORM_AGGREGATE"):
    group_by_list: list[str]
    aggregate_field_list: list[AggregateField]


class TransformDropDuplication(_Node, frozen=True, kw_only=True, tag="TRANSFORM_DROP_DUPLICATION"):
    drop_field_list: list[str]


class TransformFillMissingValues(_Node, frozen=True, kw_only=True, tag="TRANSFORM_FILL_MISSING_VALUES"):
    missing_value_field_list: list[MissingValueField]


class TransformSql(_Node, frozen=True, kw_only=True, tag="TRANSFORM_SQL"):
    source_name_list: list[SourceName]
    sql: str


Source = SourceObs | SourceCatalog | SourceCdbMysql | SourceCdbPostgresql
Target = TargetObs | TargetCatalog | TargetCdbMysql | TargetCdbPostgresql
Transform = (
    TransformFilter
    | TransformDefine
    | TransformSelect
    | TransformRename
    | TransformJoin
    | TransformUnion
    | TransformAggregate
    | TransformDropDuplication
    | TransformFillMissingValues
    | TransformSql
)
Node = Source | Target | Transform

NODE_TYPES: dict[str, type[Node]] = {cls.__struct_config__.tag: cls for cls in get_args(Node)}
"""Node structures by the word that travels as ``type``."""
