"""Which tools the provider runs and bills itself, as far as anybody knows them.

`wire` tells of each tool whether the client runs it. A hosted type that stands in no table here passes; its bound is the context window,
and should it be billed for more, that is a breach and closes the shape. Source: the tool types of openai-python 3.52.0.
"""

from __future__ import annotations

from headgate.wire.objects import NULL
from headgate.wire.request import ModelRequest

WEB_SEARCH = frozenset({"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"})
HOSTED = WEB_SEARCH | {"file_search", "code_interpreter", "image_generation", "mcp", "shell"}

# Chat Completions has no hosted tool but this field, which lets a search model search as often as it likes.
SEARCH_FIELD = "web_search_options"


def hosted(request: ModelRequest, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The types of the hosted tools of a request that are not taken out of it, sorted; the Chat field counts as one."""
    found = {tool.type for tool in request.tools if tool.hosted and tool.type in HOSTED and tool.type not in without}
    if request.fields.get(SEARCH_FIELD, NULL) != NULL:
        found.add(SEARCH_FIELD)
    return tuple(sorted(found))
