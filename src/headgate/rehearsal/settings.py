"""How the rehearsal behaves: its token rule, its meanness, its pace. Changed at the start by flags and later over HTTP."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from headgate.rehearsal.shapes import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Every value is a whole number, a boolean or a tier's name; the defaults are a friendly provider."""

    bytes_per_token: int = 4  # 1 is the meanest tokenizer there can be
    full_output: bool = False  # bill and report the whole of max_output_tokens, whatever was said
    bill_after_disconnect: bool = True  # a client that hangs up pays for the whole answer
    caching: bool = True
    auto_tier: str = "default"  # what `auto` and an absent service_tier come to, as a project setting may say
    text_tokens: int = 0  # length of a text answer; 0 leaves it to the script
    delta_events: int = 0  # pieces a text is streamed in; 0 is one for every few words
    first_token_ms: int = 0
    event_ms: int = 0  # between two stream events
    tokens_per_second: int = 0  # 0 is as fast as it goes
    count_status: int = 200  # another status makes the token counter fail with it


MEAN: Table = {"bytes_per_token": 1, "full_output": True, "bill_after_disconnect": True}

_LEAST = {"bytes_per_token": 1, "count_status": 200}


def changed(settings: Settings, change: Table) -> Settings | str:
    """The settings with some of them changed, or a sentence that says what is wrong with the change."""
    known: dict[str, type[object]] = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    for name, value in change.items():
        if name not in known:
            return f"There is no setting {name!r}; there are {', '.join(known)}."
        if type(value) is not known[name]:
            return f"{name} must be of type {known[name].__name__}."
        if isinstance(value, int) and value < _LEAST.get(name, 0):
            return f"{name} must be at least {_LEAST.get(name, 0)}."
        if name == "auto_tier" and value not in ("default", "flex", "priority", "ultrafast"):
            return "auto_tier must be default, flex, priority or ultrafast."
    return replace(settings, **change)


def shown(settings: Settings) -> Table:
    return asdict(settings)
