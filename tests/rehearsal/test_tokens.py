from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.rehearsal.tokens import OPAQUE_TOKENS, cut_text, opaque_tokens, text_bytes, tokens_of, weigh

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(Json)
def test_a_value_never_weighs_more_than_its_shortest_json(value: Any) -> None:
    assert weigh(value) <= len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


@given(st.text(), st.integers(1, 8))
def test_a_text_never_has_more_tokens_than_bytes(text: str, bytes_per_token: int) -> None:
    assert tokens_of(text_bytes(text), bytes_per_token) <= len(text.encode("utf-8", "surrogatepass"))


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))), st.integers(0, 40))
def test_a_cut_text_is_a_beginning_that_fits(text: str, most: int) -> None:
    cut = cut_text(text, most)
    assert text.startswith(cut)
    assert text_bytes(cut) <= most
    assert len(cut) == len(text) or text_bytes(text[: len(cut) + 1]) > most


def test_an_image_costs_the_same_however_few_bytes_it_has() -> None:
    message = {"role": "user", "content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "data:,"}]}
    assert opaque_tokens(message) == OPAQUE_TOKENS["input_image"]
    assert weigh(message["content"][1]) == 0
