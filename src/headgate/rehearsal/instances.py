"""The smallest believable JSON value that a JSON Schema allows, for structured answers and for the arguments of tool calls."""

from __future__ import annotations

from typing import Any

from headgate.rehearsal.shapes import Table, rows, table, text, whole

_FORMATS = {
    "date": "2026-11-20",
    "date-time": "2026-11-20T09:00:00Z",
    "time": "09:00:00Z",
    "duration": "PT1H",
    "email": "rehearsal@example.test",
    "hostname": "example.test",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.test/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 32  # a schema that refers to itself ends here
_LONGEST_ARRAY, _LONGEST_STRING = 100, 10_000  # a schema that asks for more gets this much


def instance(schema: Table, words: str = "rehearsal") -> Any:
    """A value for this schema; free strings say `words`."""
    return _value(schema, schema, words, 0)


def _value(schema: Any, root: Table, words: str, depth: int) -> Any:
    node = table(schema)
    if depth > _DEEPEST:
        return None
    if "$ref" in node:
        return _value(_resolve(text(node["$ref"]), root), root, words, depth + 1)
    if "const" in node:
        return node["const"]
    if rows(node.get("enum")):
        return node["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if rows(node.get(name)):
            return _value(node[name][0], root, words, depth + 1)
    return _typed(node, root, words, depth)


def _typed(node: Table, root: Table, words: str, depth: int) -> Any:
    declared = node.get("type")
    kind = text(declared) or text(next(iter(rows(declared)), "")) or ("object" if "properties" in node else "string")
    if kind == "object":
        properties = table(node.get("properties"))
        required = rows(node.get("required"))
        return {str(name): _value(properties.get(str(name), {}), root, words, depth + 1) for name in required}
    if kind == "array":
        return [_value(node.get("items"), root, words, depth + 1) for _ in range(min(whole(node.get("minItems")) or 0, _LONGEST_ARRAY))]
    if kind in ("integer", "number"):
        return _number(node)
    if kind == "boolean":
        return True
    return None if kind == "null" else _string(node, words)


def _number(node: Table) -> Any:
    least, above, most, step = (_numeric(node.get(name)) for name in ("minimum", "exclusiveMinimum", "maximum", "multipleOf"))
    value = least if least is not None else 1 if above is None else above + 1
    if most is not None and value > most:
        value = most
    return -(-value // step) * step if step else value


def _numeric(value: Any) -> int | float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _string(node: Table, words: str) -> str:
    if text(node.get("format")) in _FORMATS:
        return _FORMATS[node["format"]]
    least, most = min(whole(node.get("minLength")) or 0, _LONGEST_STRING), whole(node.get("maxLength"))
    value = words.ljust(least, ".")
    return value if most is None else value[:most]


def _resolve(reference: str, root: Table) -> Table:
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            node = table(node).get(step.replace("~1", "/").replace("~0", "~"))
    return table(node)
