"""How large a conversation can be: whether its bytes bound its tokens, and which tools are hidden in it.

Rule 1  Text is bounded by its bytes: a token covers at least one. Everything that points elsewhere is opaque: images, files, audio,
        references to stored items, and every item or part type nobody here has heard of. The context window bounds those.
Rule 2  An item that only names an id is a reference, whatever its type says.
Rule 3  When a name stands twice in an item, every value it ever had is heard. Readers may differ in which one they keep.
Rule 4  Nothing here is refused for being unknown: clients are newer than gateways.

The usual conversation fits the closed types below exactly, which proves that it is text and how deep it is, in one pass. Only what does
not fit is looked at again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.refusal import Refusal
from headgate.wire.api import Api
from headgate.wire.bounded import BOUNDED_ITEMS, BOUNDED_PARTS, CARRY_CONTENT
from headgate.wire.objects import deep, read_object, read_slices, too_deep
from headgate.wire.tools import Tool, read_tools


class Conversation(msgspec.Struct, frozen=True):
    """`tools` are those that stand in items; the provider treats them like the ones of the top object."""

    opaque: bool
    tools: tuple[Tool, ...] = ()


_TEXT = Conversation(opaque=False)
_BOUNDED = BOUNDED_ITEMS | BOUNDED_PARTS


class _Closed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Every field is named and of known depth; one that is not makes the whole conversation be looked at again."""


class _Part(_Closed):
    type: Literal["input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"]
    text: str = ""
    refusal: str = ""


_Content = str | list[_Part] | None


class _Message(_Closed, tag="message"):
    role: str
    content: _Content
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class _FunctionCall(_Closed, tag="function_call"):
    arguments: str
    id: str | None = None
    name: str = ""
    namespace: str | None = None
    call_id: str = ""
    status: str | None = None


class _FunctionOutput(_Closed, tag="function_call_output"):
    output: _Content
    id: str | None = None
    call_id: str = ""
    status: str | None = None


class _CustomCall(_Closed, tag="custom_tool_call"):
    input: str
    id: str | None = None
    name: str = ""
    namespace: str | None = None
    call_id: str = ""
    status: str | None = None


class _CustomOutput(_Closed, tag="custom_tool_call_output"):
    output: _Content
    id: str | None = None
    name: str | None = None
    call_id: str = ""
    status: str | None = None


class _Reasoning(_Closed, tag="reasoning"):
    encrypted_content: str
    id: str | None = None
    summary: list[_Part] | None = None
    content: list[_Part] | None = None
    status: str | None = None


class _AdditionalTools(_Closed, tag="additional_tools"):
    tools: msgspec.Raw
    role: str | None = None
    id: str | None = None


class _EasyMessage(_Closed):
    """A message without a type, as people write it by hand."""

    role: str
    content: _Content


class _Called(_Closed):
    arguments: str
    name: str = ""


class _ToolCall(_Closed):
    function: _Called
    id: str = ""
    type: Literal["function"] = "function"


class _ChatMessage(_Closed):
    role: str
    content: _Content = None
    name: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


_Item = _Message | _FunctionCall | _FunctionOutput | _CustomCall | _CustomOutput | _Reasoning | _AdditionalTools
_ITEMS = msgspec.json.Decoder(str | list[_Item] | None)
_EASY = msgspec.json.Decoder(list[_EasyMessage])
_CHAT = msgspec.json.Decoder(list[_ChatMessage])


class _Type:
    """Stands where a type name stands, so that the decoder calls us for every one of them."""

    __slots__ = ("name",)

    def __init__(self, name: object) -> None:
        self.name = name


class _Elsewhere:
    """Stands where a field points to content that is not in the request."""


class _Tools:
    """Stands where an item brings tools."""


class _LoosePart(msgspec.Struct):
    type: _Type


_LooseContent = str | list[_LoosePart] | None


class _LooseItem(msgspec.Struct):
    """Whatever else an item says is passed over. `audio` is how a chat message refers to an earlier answer."""

    type: _Type | msgspec.UnsetType = msgspec.UNSET
    role: str | msgspec.UnsetType = msgspec.UNSET
    content: _LooseContent | msgspec.UnsetType = msgspec.UNSET
    output: _LooseContent | msgspec.UnsetType = msgspec.UNSET
    encrypted_content: str | msgspec.UnsetType = msgspec.UNSET
    audio: _Elsewhere | msgspec.UnsetType = msgspec.UNSET
    tools: _Tools | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[_LoosePart] | None = None


class _Ears:
    """What the decoder says aloud while it reads: every type name, and whether tools or a reference were passed."""

    __slots__ = ("elsewhere", "names", "tools")

    def __init__(self) -> None:
        self.names: set[object] = set()
        self.elsewhere = False
        self.tools = False

    def hear(self, kind: type, value: object) -> object:
        if kind is _Type:
            name = value if isinstance(value, str) else None
            self.names.add(name)
            return _Type(name)
        if kind is _Tools:
            self.tools = True
        elif value is not None:
            self.elsewhere = True
        return kind()


def read_conversation(api: Api, raw: msgspec.Raw, where: str) -> Conversation | Refusal:
    """What `input` or `messages` is made of. The document was proven to be JSON before."""
    if api is Api.CHAT:
        return _TEXT if _fits(_CHAT, raw) else _look_again(raw, where)
    try:
        items = _ITEMS.decode(raw)
    except (msgspec.ValidationError, RecursionError):
        return _TEXT if _fits(_EASY, raw) else _look_again(raw, where)
    if items is None or isinstance(items, str):
        return _TEXT
    found = [index for index, item in enumerate(items) if type(item) is _AdditionalTools]
    return _with_tools(raw, where, found, opaque=False) if found else _TEXT


def _fits(closed: msgspec.json.Decoder[list[_EasyMessage]] | msgspec.json.Decoder[list[_ChatMessage]], raw: msgspec.Raw) -> bool:
    try:
        closed.decode(raw)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _look_again(raw: msgspec.Raw, where: str) -> Conversation | Refusal:
    """Something does not fit the closed types: hear every type name there is, and judge by all of them."""
    if deep(raw, 1):
        return too_deep(where)
    ears = _Ears()
    try:
        items = msgspec.json.decode(raw, type=list[_LooseItem], dec_hook=ears.hear)
    except (msgspec.ValidationError, RecursionError):
        # A shape nobody here has heard of. It may bring tools all the same, so every item is asked for them.
        return _with_tools(raw, where, None, opaque=True)
    opaque = ears.elsewhere or not ears.names <= _BOUNDED or any(map(_refers, items))
    return _with_tools(raw, where, None, opaque) if ears.tools else Conversation(opaque)


def _refers(item: _LooseItem) -> bool:
    """Does the item only name something that is kept upstream?"""
    if item.type is msgspec.UNSET:
        return item.role is msgspec.UNSET
    if item.type.name == "message":
        return item.content is msgspec.UNSET
    return item.type.name in CARRY_CONTENT and item.encrypted_content is msgspec.UNSET


def _with_tools(raw: msgspec.Raw, where: str, found: list[int] | None, opaque: bool) -> Conversation | Refusal:
    """The conversation with the tools of the items at `found` (None: wherever they are)."""
    try:
        slices = read_slices(raw)
    except msgspec.ValidationError:
        return Conversation(opaque)  # not an array at all
    tools: list[Tool] = []
    for index in range(len(slices)) if found is None else found:
        one = slices[index]
        if bytes(one)[:1] != b"{":
            continue
        name = f"{where}[{index}]"
        fields = read_object(one, name)
        if isinstance(fields, Refusal):
            return fields
        if "tools" in fields:
            brought = read_tools(fields["tools"], f"{name}.tools", inside=True)
            if isinstance(brought, Refusal):
                return brought
            tools += brought
    return Conversation(opaque, tuple(tools))
