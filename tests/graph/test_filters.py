"""The filter cell: its grammar, every way to get it wrong, and what is written is read again."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.filters import Filter, parse_filter, print_filter, value_problem
from bulkjobs.graph.nodes import FilterCondition, FilterType, Operator
from bulkjobs.plain import plain

OPERATORS: list[Operator] = ["EQ", "NE", "GT", "LT", "GTE", "LTE"]


def conditions(text: str) -> list[tuple[str, str, str]]:
    return [(each.name, each.operator, each.value) for each in parse_filter(text).conditions]


def filter_or_error(text: str) -> Filter | CellError:
    try:
        return parse_filter(text)
    except CellError as error:
        return error


def refusal(text: str) -> CellError:
    with pytest.raises(CellError) as caught:
        parse_filter(text)
    return caught.value


@pytest.mark.parametrize(
    ("written", "operator"),
    [
        *((word, word) for word in OPERATORS),
        ("eq", "EQ"), ("Gte", "GTE"), ("==", "EQ"), ("=", "EQ"), ("!=", "NE"), ("<>", "NE"), (">", "GT"),
        ("<", "LT"), (">=", "GTE"), ("<=", "LTE"),
    ],
)  # fmt: skip
def test_operators_are_words_in_any_case_or_symbols(written: str, operator: str) -> None:
    assert conditions(f'age {written} "5"') == [("age", operator, "5")]
    assert conditions(f'"age"{written}"5"') == [("age", operator, "5")]


def test_symbols_need_no_blanks() -> None:
    assert conditions("a>=5 AND b<>-1") == [("a", "GTE", "5"), ("b", "NE", "-1")]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"A"', "A"), ("'A'", "A"), ("A", "A"), ('""', ""), ("''", ""),
        ("007", "007"), ("1.50", "1.50"), ("-3", "-3"), ("1e5", "1e5"), ("NA", "NA"), ("null", "null"),
        ("9007199254740993", "9007199254740993"), ("2024-01-31", "2024-01-31"),
        ("2024-01-31T09:30:00+09:00", "2024-01-31T09:30:00+09:00"), ("a@b.c", "a@b.c"), ("서울", "서울"),
        ("NE", "NE"), ("not", "not"), ('"AND"', "AND"), ('" a  b "', " a  b "), ('"서울 😀"', "서울 😀"),
        ('"say ""hi"""', 'say "hi"'), ("'it''s'", "it's"), ('"it\'s"', "it's"), (r'"C:\new"', r"C:\new"),
        (r'"\"', "\\"), ('"two\nlines"', "two\nlines"), ('"x AND y EQ 1"', "x AND y EQ 1"),
        ('"a\u200bb"', "a\u200bb"), ('"(1)"', "(1)"),
    ],
)  # fmt: skip
def test_a_value_travels_exactly_as_written(written: str, value: str) -> None:
    assert conditions(f"name EQ {written}") == [("name", "EQ", value)]


@pytest.mark.parametrize(
    ("written", "name"),
    [("name", "name"), ("이름", "이름"), ("a.b-c/d", "a.b-c/d"), ('"first name"', "first name"), ("`a b`", "a b"),
     ('"or"', "or"), ('"say ""hi"""', 'say "hi"'), ("`a``b`", "a`b"), ("1st", "1st")],
)  # fmt: skip
def test_a_name_is_bare_or_quoted(written: str, name: str) -> None:
    assert conditions(f"{written} == x") == [(name, "EQ", "x")]


@pytest.mark.parametrize(
    ("text", "filter_type", "names"),
    [
        ("a EQ 1", "AND", ["a"]),
        ("a EQ 1 AND b EQ 2 and c EQ 3", "AND", ["a", "b", "c"]),
        ("a EQ 1 or b EQ 2 Or c EQ 3", "OR", ["a", "b", "c"]),
        ('\n a EQ "1"AND b EQ "2" \n', "AND", ["a", "b"]),
        ("a EQ 1\nAND b EQ 2\u00a0AND\tc EQ 3", "AND", ["a", "b", "c"]),
        ("a EQ 1 AND a EQ 1", "AND", ["a", "a"]),
    ],
)
def test_conditions_are_joined_by_and_or_by_or(text: str, filter_type: str, names: list[str]) -> None:
    found = parse_filter(text)
    assert found.filter_type == filter_type
    assert [each.name for each in found.conditions] == names


def test_json_is_a_filter_condition_list_joined_by_and() -> None:
    text = '[{"name":"a","operator":"EQ","value":"1"}, {"value":"","operator":"lte","name":"b c"}]'
    assert parse_filter(text).filter_type == "AND"
    assert conditions(text) == [("a", "EQ", "1"), ("b c", "LTE", "")]


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("", "empty", "there is no filter", "for example"),
        (" \n", "empty", "there is no filter", "for example"),
        ("name", "filter-syntax", "at character 5: expected an operator, but the filter ends", 'name EQ "A"'),
        ("name EQ", "filter-syntax", "at character 8: expected a value, but the filter ends", 'name EQ "A"'),
        ("name EQ  ", "filter-syntax", "at character 10: expected a value, but the filter ends", 'name EQ "A"'),
        ("a EQ 1 AND", "filter-syntax", "at character 11: expected a field name, but the filter ends", "name EQ"),
        ("a EQ AND", "filter-syntax", "at character 6: expected a value, found 'AND'", "double quotes"),
        ("AND a EQ 1", "filter-syntax", "at character 1: expected a field name, found 'AND'", "double quotes"),
        ("a EQ 1 AND AND", "filter-syntax", "at character 12: expected a field name, found 'AND'", "double quotes"),
        ("NOT a EQ 1", "filter-syntax", "at character 1: expected a field name, found 'NOT'", "write NE"),
        ("'a' EQ 1", "filter-syntax", "at character 1: expected a field name, found 'a'", "backticks"),
        ("== 1", "filter-syntax", "at character 1: expected a field name, found '=='", "name EQ"),
        ('"" EQ 1', "filter-syntax", "at character 1: the field name is empty", "name of a field"),
        ("a LIKE x", "filter-syntax", "at character 3: expected an operator, found 'LIKE'", "patterns do not exist"),
        ("a in (1, 2)", "filter-syntax", "at character 3: expected an operator, found 'in'", "joined by OR"),
        ("a BETWEEN 1 AND 2", "filter-syntax", "at character 3: expected an operator, found 'BETWEEN'", "GTE low"),
        ("a IS 1", "filter-syntax", "at character 3: expected an operator, found 'IS'", "write EQ"),
        ("a ! 1", "filter-syntax", "at character 3: expected an operator, found '!'", "did you mean !=?"),
        ("first name EQ 1", "filter-syntax", "at character 7: expected an operator, found 'name'", "with blanks"),
        ('a "x"', "filter-syntax", 'at character 3: expected an operator, found "x"', "operators are EQ"),
        ("a => 5", "filter-syntax", "at character 4: expected a value, found '>'", "did you mean >=?"),
        ("a === 5", "filter-syntax", "at character 5: expected a value, found '='", "did you mean ==?"),
        ("a EQ `x`", "filter-syntax", "at character 6: expected a value, found `x`", "in quotes"),
        ("a EQ “x”", "filter-syntax", "at character 6: expected a value, found '“' (U+201C)", "typographic"),
        ("city EQ New York", "filter-syntax", "at character 13: expected AND or OR, found 'York'", "double quotes"),
        ("a EQ 1, b EQ 2", "filter-syntax", "at character 7: expected AND or OR, found ','", "write AND"),
        ("a EQ 1 || b EQ 2", "filter-syntax", "at character 8: expected AND or OR, found '|'", "write OR"),
        ("a EQ x=y", "filter-syntax", "at character 7: expected AND or OR, found '='", "signs such as ="),
        ("a EQ 1 ANDb EQ 2", "filter-syntax", "at character 8: expected AND or OR, found 'ANDb'", ""),
        ('a EQ "x', "filter-syntax", "at character 6: the text that begins with '\"' is not closed", "close it"),
        ("a EQ O'Brien", "filter-syntax", "at character 7: the text that begins with ''' is not closed", "close it"),
        ("`a EQ 1", "filter-syntax", "at character 1: the text that begins with '`' is not closed", "close it"),
        ("a EQ 1\u200b", "filter-syntax", "at character 7: U+200B, which cannot be seen", "double quotes"),
        ("\ufeffa EQ 1", "filter-syntax", "at character 1: U+FEFF, which cannot be seen", "delete"),
        ("a EQ '\ud800'", "filter-syntax", "at character 7: U+D800 is half a character", "again"),
        ("(a EQ 1)", "filter-parentheses", "at character 1: a filter cannot have parentheses", "several filter nodes"),
        ("a EQ 1)", "filter-parentheses", "at character 7: a filter cannot have parentheses", "several filter nodes"),
        (
            "a EQ 1 AND b EQ 2 or c EQ 3",
            "mixed-and-or",
            "at character 19: OR after AND; AND and OR do not mix in one filter",
            "put several filter nodes in a row in a layout",
        ),
        ("[]", "empty", "the JSON list is empty", "filterConditionList"),
        ("[", "filter-syntax", "the JSON ends too early", "short form"),
        ('{"filterConditionList":[]}', "filter-syntax", "the JSON is not a list", "filterConditionList"),
        ('["a EQ 1"]', "filter-syntax", "item 1 is not an object", '"operator"'),
        ('[{"name":"a","operator":"EQ"}]', "filter-syntax", "item 1 has no value", '"value"'),
        ('[{"name":"","operator":"EQ","value":""}]', "filter-syntax", "item 1 has an empty name", "name of a field"),
        ('[{"name":"a","operator":"EQ","value":1}]', "filter-syntax", "the value of item 1 is not a text", "quotes"),
        ('[{"name":"a","operator":"LIKE","value":"1"}]', "filter-syntax", "item 1 has the unknown operator 'LIKE'", ""),
        (
            '[{"name":"a","operator":"EQ","values":"1"}]',
            "filter-syntax",
            "item 1 has the unknown key 'values'",
            "did you mean value?",
        ),
        ("[" * 100_000, "nested-too-deeply", "the JSON is nested too deeply", ""),
    ],
)
def test_a_wrong_filter_says_what_was_expected_and_where(text: str, code: str, message: str, hint: str) -> None:
    error = refusal(text)
    assert (error.code, error.message) == (code, message)
    assert error.hint
    assert hint in error.hint


def test_a_message_stays_short_whatever_the_cell_holds() -> None:
    for text in ("a " + "x" * 100_000, "a EQ 1 '" + "x" * 100_000 + "'", "[" + '{"' + "x" * 100_000 + '":1}]'):
        error = refusal(text)
        assert len(error.message) < 200
        assert len(str(error.hint)) < 200


def test_a_filter_is_printed_with_words_and_double_quotes() -> None:
    text = "a==1 and `b c`<>'x\"y' and `or`>2"
    assert print_filter(parse_filter(text)) == 'a EQ "1" AND "b c" NE "x""y" AND "or" GT "2"'


def test_a_filter_without_meaning_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Filter("AND", ())
    with pytest.raises(ValueError, match="alone"):
        Filter("OR", (FilterCondition(name="a", operator="EQ", value="1"),))


_TRICKY = st.text(st.sampled_from("\"'`“ \n()=[!\u200ba"), max_size=4)
_TEXTS = st.one_of(_TRICKY, st.text(st.characters(exclude_categories=["Cs"])))
_CONDITIONS = st.lists(
    st.builds(
        FilterCondition,
        name=st.one_of(_TEXTS.filter(bool), st.sampled_from(["and", "Or", "EQ", "not", "[a", "이름"])),
        operator=st.sampled_from(OPERATORS),
        value=_TEXTS,
    ),
    min_size=1,
    max_size=4,
)


@given(conditions=_CONDITIONS, joined_by=st.sampled_from(["AND", "OR"]))
def test_a_printed_filter_is_read_again_as_it_was(conditions: list[FilterCondition], joined_by: FilterType) -> None:
    kept = Filter(joined_by if len(conditions) > 1 else "AND", tuple(conditions))
    assert parse_filter(print_filter(kept)) == kept


@given(conditions=_CONDITIONS)
def test_a_filter_condition_list_as_it_travels_is_read_as_it_is(conditions: list[FilterCondition]) -> None:
    assert parse_filter(msgspec.json.encode(conditions).decode()) == Filter("AND", tuple(conditions))


_PIECES = st.sampled_from(
    ["a", "이름", "EQ", "==", "=", "!", "<", ">", "AND", "OR", "not", '"', "'", "`", '"x"', " ", " ", " ", "\n", "(",
     ")", "[", "{", "}", "]", ",", "“", '{"name":"a","operator":"EQ","value":"1"}', "\x00", "\ud800", "\u202e", "7"]
)  # fmt: skip


@settings(max_examples=300)
@given(text=st.one_of(st.text(), st.lists(_PIECES, max_size=25).map("".join)))
def test_whatever_is_read_can_be_printed_and_whatever_is_not_is_a_cell_error(text: str) -> None:
    found = filter_or_error(text)
    if isinstance(found, CellError):
        said = f"{found.message} {found.hint}"
        assert plain(said) == said
    else:
        assert parse_filter(print_filter(found)) == found


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("tinyint", ["0", "-128", "127", "+5", "007"], ["128", "-129", "x", "1.5", "", " 5", "٣"]),
        ("smallint", ["32767", "-32768"], ["32768", "-32769"]),
        ("INT", ["2147483647"], ["2147483648", "1e5", "abc"]),
        ("bigint", ["9223372036854775807", "-9223372036854775808"], ["9223372036854775808", "9" * 10_000]),
        ("float", ["1", "-1.5", ".5", "5.", "1e-7", "NaN", "-Infinity"], ["", "1,5", "e5", "."]),
        ("Double", ["1.5E+10"], ["one"]),
        ("decimal", ["12345678901234567890.12"], ["NaN", "1,000"]),
        ("boolean", ["true", "FALSE"], ["1", "yes", ""]),
        ("date", ["2024-02-29"], ["2023-02-29", "20240229", "2024-2-29", "29.02.2024", "2024-02-29T00:00", ""]),
        (
            "timestamp",
            ["2024-01-31", "2024-01-31 09:30", "2024-01-31T09:30:00", "2024-01-31T09:30:00.123456789Z"],
            ["2024-01-31T25:00:00", "2024-01-31T", "09:30", "1706688000", "2024-01-31x"],
        ),
        ("datetime", ["2024-01-31 09:30:00"], ["today"]),
        ("TimestampWithTimeZone", ["2024-01-31T09:30:00+09:00", "2024-01-31T09:30:00+0900"], ["noon"]),
        ("string", ["", "x", "007"], []),
        ("varchar", ["x"], []),
        ("char", ["x"], []),
        ("binary", ["x"], []),
        ("array", [], ["x", "[]"]),
        ("struct", [], ["x"]),
        ("map", [], ["x"]),
        ("uniontype", [], ["x"]),
        ("void", [], ["x", "null"]),
        ("no-such-type", ["x"], []),
    ],
)
def test_a_value_that_cannot_be_compared_is_noticed(kind: str, good: list[str], bad: list[str]) -> None:
    def problem(value: str) -> str | None:
        return value_problem(FilterCondition(name="a", operator="EQ", value=value), kind)

    assert [value for value in good if problem(value)] == []
    assert [value for value in bad if not problem(value)] == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_truth_values_have_no_order(operator: Operator) -> None:
    warning = value_problem(FilterCondition(name="a", operator=operator, value="true"), "boolean")
    assert (warning is None) == (operator in ("EQ", "NE"))


def test_the_warning_names_value_field_and_type() -> None:
    warning = value_problem(FilterCondition(name="age", operator="GT", value="old"), "Int")
    assert warning == "'old' is not a whole number of 32 bits, as the type int of age asks"


@given(value=st.text(), kind=st.sampled_from(["int", "double", "date", "timestamp", "boolean"]))
def test_any_value_can_be_asked_about(value: str, kind: str) -> None:
    warning = value_problem(FilterCondition(name="a", operator="EQ", value=value), kind)
    assert warning is None or plain(warning) == warning
