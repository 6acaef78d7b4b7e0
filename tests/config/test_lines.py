from __future__ import annotations

import tomllib
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from headgate.config.lines import Place, locate

EXAMPLE = '''\
# a comment with [brackets] and "quotes"
top = 1
[gate]
listen = "127.0.0.1:8080" # listen = "elsewhere"
text = """
[house]
listen = 1 \\"""
"""
raw = \'\'\'
[paths.x]
\'\'\'
[ paths . "open ai" ]
a.b.c = 'one # two'
list = [
  "first",   # ]
  { x = 1, "y y" = [2, 3] },
]
when = 1979-05-27 07:32:00
[[budget]]
scope = "a"
[[budget]]
[budget.inner]
deep = [[1], [2,
3]]
'''


def test_every_place_of_a_file_is_found_on_its_line() -> None:
    lines = locate(EXAMPLE)
    expected: dict[Place, int] = {
        ("top",): 2,
        ("gate",): 3,
        ("gate", "listen"): 4,
        ("gate", "text"): 5,
        ("gate", "raw"): 9,
        ("paths",): 12,
        ("paths", "open ai"): 12,
        ("paths", "open ai", "a", "b", "c"): 13,
        ("paths", "open ai", "list", 0): 15,
        ("paths", "open ai", "list", 1): 16,
        ("paths", "open ai", "list", 1, "x"): 16,
        ("paths", "open ai", "list", 1, "y y", 1): 16,
        ("paths", "open ai", "when"): 18,
        ("budget", 0): 19,
        ("budget", 0, "scope"): 20,
        ("budget", 1): 21,
        ("budget", 1, "inner"): 22,
        ("budget", 1, "inner", "deep", 1, 1): 24,
    }
    assert {place: lines.get(place) for place in expected} == expected


def test_a_table_is_where_its_own_header_stands_even_when_an_inner_one_came_first() -> None:
    assert locate("[a.b]\n[a]\nx = 1\n") == {("a",): 2, ("a", "b"): 1, ("a", "x"): 3}


def test_quotes_before_the_closing_quotes_belong_to_the_text() -> None:
    assert locate('a = [""""two""""",\n1]\nb = 1') == {("a",): 1, ("a", 0): 1, ("a", 1): 2, ("b",): 3}


def test_windows_line_ends_count_as_one() -> None:
    assert locate('a = 1\r\nb = """x\r\ny"""\r\nc = 3\r\n') == {("a",): 1, ("b",): 2, ("c",): 4}


def leaves(value: object, place: Place = ()) -> set[Place]:
    if isinstance(value, dict) and value:
        return set().union(*(leaves(inner, (*place, key)) for key, inner in cast("dict[str, object]", value).items()))
    if isinstance(value, list) and value:
        return set().union(*(leaves(inner, (*place, number)) for number, inner in enumerate(cast("list[object]", value))))
    return {place}


KEY = st.sampled_from(["a", "b", "c-d", "9", '"x y"', "'#'", '"\\u00e9"', '"a.b"'])
SCALAR = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        '"x"',
        '"# no = [comment]"',
        '"\\"]}"',
        "'it\\'",
        '""',
        "''",
        '"""a\n]"b"""',
        "'''\n{'''",
        '""""two""""',
        "2026-10-01",
        "'''x''''",
        "07:32:00",
        "inf",
        "1979-05-27 07:32:00",
    ]
)


def _list(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    gap = st.sampled_from(["", " ", "\n  ", " # ] no\n"])
    many = st.lists(st.tuples(gap, items, gap), max_size=3)
    return many.map(lambda parts: "[" + ",".join(before + item + after for before, item, after in parts) + "]")


def _inline(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(KEY, items), max_size=3, unique_by=lambda pair: tuple(tomllib.loads(f"{pair[0]} = 1")))
    return pairs.map(lambda found: "{" + ", ".join(f"{key} = {value}" for key, value in found) + "}")


VALUE = st.recursive(SCALAR, lambda inner: _list(inner) | _inline(inner), max_leaves=5)
DOTTED = st.lists(KEY, min_size=1, max_size=3).map(" . ".join)
PAIR = st.tuples(DOTTED, VALUE).map(lambda pair: f"{pair[0]}={pair[1]} # end")
HEADER = DOTTED.map(lambda key: f"[{key}]") | DOTTED.map(lambda key: f"[[ {key} ]]")
TEXT = st.lists(PAIR | PAIR | HEADER | st.just("") | st.just("  # [x]"), max_size=8).map("\n".join)


@given(TEXT)
def test_every_value_that_tomllib_reads_has_a_line_and_a_key_never_comes_before_its_table(text: str) -> None:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = locate(text)
    assert leaves(table) - {()} <= set(lines)
    starts = text.split("\n")
    for place, line in lines.items():
        assert 1 <= line <= len(starts)
        assert isinstance(place[-1], int) or _spelt(str(place[-1]), starts[line - 1])


def _spelt(key: str, line: str) -> bool:
    return key in line or key.encode("unicode_escape").decode().replace("\\xe9", "\\u00e9") in line
