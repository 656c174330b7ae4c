"""The fields cell: its two forms, every way to get it wrong, and what is written is read again."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.fields import DEEPEST, parse_fields, print_fields
from bulkjobs.graph.nodes import FIELD_TYPES, Field
from bulkjobs.plain import plain


def pairs(text: str) -> list[tuple[str, str]]:
    return [(field.name, field.type) for field in parse_fields(text)]


def refusal(text: str) -> CellError:
    with pytest.raises(CellError) as caught:
        parse_fields(text)
    return caught.value


def fields_or_error(text: str) -> tuple[Field, ...] | CellError:
    try:
        return parse_fields(text)
    except CellError as error:
        return error


def nested_json(levels: int) -> str:
    return (
        '[{"name":"a","type":"struct","properties":' * (levels - 1)
        + '[{"name":"a","type":"int"}]'
        + "}]" * (levels - 1)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id:string, name:string", [("id", "string"), ("name", "string")]),
        ("id:string,name:string", [("id", "string"), ("name", "string")]),
        (" id : string ,\n\tname :string ", [("id", "string"), ("name", "string")]),
        ("\u3000id\u00a0:\u00a0string", [("id", "string")]),
        ("first name:String", [("first name", "String")]),
        ("이름:STRING, 😀:Int", [("이름", "STRING"), ("😀", "Int")]),
        ("a (b):int, a.b:int, a/b:int", [("a (b)", "int"), ("a.b", "int"), ("a/b", "int")]),
        ('"a,b":int, "a:b":int', [("a,b", "int"), ("a:b", "int")]),
        ('"say ""hi""":int', [('say "hi"', "int")]),
        ('" padded ":int', [(" padded ", "int")]),
        ('"two\nlines":int', [("two\nlines", "int")]),
        ('"[a]":int, [b]:int', [("[a]", "int"), ("[b]", "int")]),
        ("a:int, A:int", [("a", "int"), ("A", "int")]),
        ('[{"name": "id", "type": "string"}]', [("id", "string")]),
        (' [{"name": "id", "type": "Bigint", "properties": []}] ', [("id", "Bigint")]),
    ],
)
def test_a_cell_of_fields_is_read_as_written(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize("word", FIELD_TYPES)
def test_every_documented_type_is_known_in_any_letter_case(word: str) -> None:
    for written in (word, word.upper(), word.title()):
        assert pairs(f"a:{written}") == [("a", written)]


def test_json_nests_fields_and_empty_properties_mean_none() -> None:
    text = '[{"name":"a","type":"struct","properties":[{"name":"b","type":"int","properties":[]}]}]'
    inner = Field(name="b", type="int")
    assert parse_fields(text) == (Field(name="a", type="struct", properties=[inner]),)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "empty", "there are no fields"),
        (" \n ", "empty", "there are no fields"),
        ("[]", "empty", "the JSON list is empty"),
        ("id", "fields-syntax", "at character 1: the field id has no type"),
        ("a:int,  id, b:int", "fields-syntax", "at character 9: the field id has no type"),
        ("id:", "fields-syntax", "at character 4: the field id has no type"),
        ("id: , b:int", "fields-syntax", "at character 5: the field id has no type"),
        (":int", "fields-syntax", "at character 1: a field has no name before its ':'"),
        ('a:int, "":int', "fields-syntax", "at character 8: a field has no name before its ':'"),
        ("a:int,", "fields-syntax", "at character 6: the list ends with a comma"),
        ("a:int, ", "fields-syntax", "at character 6: the list ends with a comma"),
        ("a:int,,b:int", "fields-syntax", "at character 7: a field is missing before the comma"),
        (",a:int", "fields-syntax", "at character 1: a field is missing before the comma"),
        ("a:int b:int", "fields-syntax", "at character 8: expected ',' after the type of a, found ':'"),
        ('a:int"b":int', "fields-syntax", "at character 6: expected ',' after the type of a, found '\"'"),
        ('"a b:int', "fields-syntax", "at character 1: the quoted name is not closed"),
        ('"a" b:int', "fields-syntax", "at character 5: expected ':' after the quoted name, found 'b'"),
        ('5" disk:int', "fields-syntax", "at character 2: a double quote within a name"),
        ("a:int, b\u200bc:int", "fields-syntax", "at character 9: a field name with U+200B, which cannot be seen"),
        ("a:int, \ud800:int", "fields-syntax", "at character 8: U+D800 is half a character"),
        ("a:text", "unknown-field-type", "at character 3: the field a has the unknown type 'text'"),
        ("a:decimal(10,2)", "unknown-field-type", "at character 10: the type of a cannot have '('"),
        ("a:array<int>", "unknown-field-type", "at character 8: the type of a cannot have '<'"),
        ("a:int, b:int, a:string", "duplicate-field", "at character 15: the field a is there twice"),
        ('{"name":"a","type":"int"}', "fields-syntax", "the JSON is not a list"),
        ("[1]", "fields-syntax", "item 1 is not an object"),
        ('[{"name":"a"}]', "fields-syntax", "item 1 has no type"),
        ('[{"name":"a","type":7}]', "fields-syntax", "the type of item 1 is not a text"),
        ('[{"name":"","type":"int"}]', "fields-syntax", "item 1 has an empty name"),
        ('[{"name":"a","type":"int","typ":"int"}]', "fields-syntax", "item 1 has the unknown key 'typ'"),
        ('[{"name":"a","type":"map","properties":{}}]', "fields-syntax", "the properties of item 1 are not a list"),
        (
            '[{"name":"a","type":"int"},{"name":"b","type":"txt"}]',
            "unknown-field-type",
            "in item 2: the field b has the unknown type 'txt'",
        ),
        (
            '[{"name":"a","type":"map","properties":[{"name":"b","type":"int"},{"name":"b","type":"int"}]}]',
            "duplicate-field",
            "in item 1, properties, item 2: the field b is there twice",
        ),
        ('[{"name":"한", x', "fields-syntax", "at character 15: no valid JSON, object keys must be strings"),
        ('[{"name":"a"', "fields-syntax", "the JSON ends too early"),
        ("[" + "9" * 9999 + "]", "fields-syntax", "the JSON holds a number that is out of range"),
        ("[" * 100_000, "nested-too-deeply", "the JSON is nested too deeply"),
    ],
)
def test_a_wrong_cell_says_what_is_wrong_and_where(text: str, code: str, message: str) -> None:
    error = refusal(text)
    assert (error.code, error.message) == (code, message)
    assert error.hint


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("text", "did you mean string?"),
        ("Varchar2", "did you mean varchar?"),
        ("integer", "did you mean int?"),
        ("long", "did you mean bigint?"),
        ("bool", "did you mean boolean?"),
        ("Number", "did you mean decimal?"),
        ("double  precision", "did you mean double?"),
        ("strng", "did you mean string?"),
        ("timestmp", "did you mean timestamp?"),
        ("decimal(10,2)", "write decimal alone"),
        ("varchar2(20)", "write varchar alone"),
        ("array<string>", "write array alone"),
        ("int; b", "fields are separated by commas, not by semicolons"),
        ("int; b:int", "fields are separated by commas, not by semicolons"),
        ("qqqqqq", "types are void, boolean"),
    ],
)
def test_a_foreign_type_word_is_answered_with_ours(written: str, hint: str) -> None:
    assert str(refusal(f"a:{written}").hint).startswith(hint)


def test_a_wide_colon_is_pointed_out() -> None:
    assert "not by '：'" in str(refusal("이름：string").hint)


def test_nesting_is_taken_down_to_the_bound_and_no_further() -> None:
    assert parse_fields(nested_json(DEEPEST))
    assert refusal(nested_json(DEEPEST + 1)).message == "fields are nested more than 30 levels deep"
    assert refusal(nested_json(100_000)).code == "nested-too-deeply"


def test_a_message_stays_short_and_safe_to_print_whatever_the_cell_holds() -> None:
    error = refusal("a:" + "\x1b[31m" + "x" * 100_000)
    assert error.message.isprintable()
    assert len(error.message) < 200


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([("id", "string"), ("name", "Int")], "id:string, name:Int"),
        ([("a,b", "int"), (' "', "int")], '"a,b":int, " """:int'),
        (
            [(" a", "int"), ("[b", "int"), ("{c", "int"), ("d\u200b", "int")],
            '" a":int, "[b":int, "{c":int, "d\u200b":int',
        ),
    ],
)
def test_fields_are_printed_in_the_short_form(fields: list[tuple[str, str]], text: str) -> None:
    assert print_fields([Field(name=name, type=kind) for name, kind in fields]) == text


_TRICKY = st.text(st.sampled_from(',:"[{ \n\u200ba'), min_size=1, max_size=4)
_NAMES = st.one_of(_TRICKY, st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
_KINDS = st.sampled_from(FIELD_TYPES).flatmap(lambda word: st.sampled_from([word, word.upper(), word.title()]))


def _lists(field: st.SearchStrategy[Field]) -> st.SearchStrategy[list[Field]]:
    return st.lists(field, min_size=1, max_size=4, unique_by=lambda each: each.name)


_FLAT = st.builds(Field, name=_NAMES, type=_KINDS)
_DEEP = st.recursive(
    _FLAT, lambda inner: st.builds(Field, name=_NAMES, type=_KINDS, properties=_lists(inner)), max_leaves=8
)


@given(fields=st.one_of(_lists(_FLAT), _lists(_DEEP)))
def test_printed_fields_are_read_again_as_they_were(fields: list[Field]) -> None:
    assert parse_fields(print_fields(fields)) == tuple(fields)


_PIECES = st.sampled_from(
    ["a", "이름", ":", ",", '"', '""', " ", "\n", "int", "text", "(", "<", "[", "]", "{", "}", '"name":', '"type":',
     '"properties":', '"int"', "\x00", "\ud800", "\u202e", "9" * 30, "NaN", "null"]
)  # fmt: skip


@settings(max_examples=300)
@given(text=st.one_of(st.text(), st.lists(_PIECES, max_size=25).map("".join)))
def test_whatever_is_read_can_be_printed_and_whatever_is_not_is_a_cell_error(text: str) -> None:
    fields = fields_or_error(text)
    if isinstance(fields, CellError):
        said = f"{fields.message} {fields.hint}"
        assert plain(said) == said
    else:
        assert parse_fields(print_fields(fields)) == fields
        assert msgspec.json.encode(fields)
