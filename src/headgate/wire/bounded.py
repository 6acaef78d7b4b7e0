"""What cannot make the input larger than the bytes it stands in: fields, items and parts, by name.

A token of text covers at least one byte. What is not in these tables points elsewhere or is newer than they are, and then only the context
window bounds the request. Source: the request types of openai-python 3.52.0, and what Codex 0.169.0 sends.
"""

from __future__ import annotations

from headgate.wire.api import Api

# `conversation`, `prompt` and `previous_response_id` point to what is kept upstream; `ModelRequest` says so in fields of their own.
# Not here, and so opaque: `context_management` (adds a pass of the model), `image`, `audio`, and every field newer than this table.
BOUNDED_FIELDS: dict[Api, frozenset[str]] = {
    Api.RESPONSES: frozenset(
        {
            "model",
            "input",
            "instructions",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning",
            "store",
            "include",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "text",
            "client_metadata",
            "metadata",
            "service_tier",
            "max_output_tokens",
            "max_tool_calls",
            "temperature",
            "top_p",
            "top_logprobs",
            "truncation",
            "user",
            "safety_identifier",
            "background",
            "previous_response_id",
            "access_programs",
            "moderation",
            "conversation",
            "prompt",
        }
    ),
    Api.CHAT: frozenset(
        {
            "model",
            "messages",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "reasoning_effort",
            "store",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "response_format",
            "metadata",
            "service_tier",
            "max_completion_tokens",
            "max_tokens",
            "temperature",
            "top_p",
            "top_logprobs",
            "logprobs",
            "logit_bias",
            "frequency_penalty",
            "presence_penalty",
            "n",
            "seed",
            "stop",
            "user",
            "safety_identifier",
            "verbosity",
            "modalities",
            "prediction",
            "moderation",
            "web_search_options",
        }
    ),
}

BOUNDED_PARTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"})
BOUNDED_ITEMS = frozenset(
    {
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "reasoning",
        "local_shell_call",
        "local_shell_call_output",
        "apply_patch_call",
        "apply_patch_call_output",
        "additional_tools",
        "tool_search_call",
        "tool_search_output",
        "compaction",
        "compaction_summary",
        "compaction_trigger",
        "function",  # a tool call inside a chat message
        "custom",
    }
)
# Items whose content is upstream unless they carry it themselves.
CARRY_CONTENT = frozenset({"reasoning", "compaction", "compaction_summary"})
