"""Token counts as providers report them, from every shape that Responses and Chat Completions use.

Cached and cache-write tokens are inside `input_tokens`; reasoning and rejected-prediction tokens are inside `output_tokens`.
A count that is negative, not whole, absurd or missing makes the whole usage unreadable: unknown is never zero.
Source: the types of openai-python 3.52.0 (`ResponseUsage`, `CompletionUsage`).
"""

from __future__ import annotations

import msgspec

# No model reads or writes more tokens in one call; a larger count is a broken answer, not a bill.
MOST_TOKENS = 1_000_000_000


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What one attempt used, in tokens (and calls, for hosted tools)."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0  # all of them; written for 30 minutes unless counted below
    cache_write_12h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
