from __future__ import annotations

from typing import Any

import pytest

from headgate.rehearsal.instances import instance


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}, {"a": 1}),
        ({"type": "array", "items": {"enum": ["red", "blue"]}, "minItems": 2}, ["red", "red"]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["integer", "null"], "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "string", "minLength": 12, "maxLength": 12}, "rehearsal..."),
        ({"type": "string", "format": "date"}, "2026-11-20"),
        ({"const": 3}, 3),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}, True),
    ],
)
def test_the_smallest_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert instance(schema) == value


def test_a_schema_that_contains_itself_ends_somewhere() -> None:
    assert instance({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]})


@pytest.mark.parametrize(
    "schema", [{"type": 7}, {"enum": "x"}, {"minimum": "x", "type": "integer"}, {"multipleOf": 0, "type": "integer"}, {"$ref": "#/no"}]
)
def test_a_broken_schema_breaks_nothing(schema: dict[str, Any]) -> None:
    instance(schema)
