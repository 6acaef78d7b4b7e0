"""The two texts made from the table of settings: the file that `headgate init` writes, and the page that explains every setting."""

from __future__ import annotations

from headgate.config.table import SECTIONS, Setting

FILE_NAME = "headgate.toml"

_DEFAULT = """\
# Headgate's configuration. `headgate check` explains what is wrong with it, with line numbers; `headgate reload` puts it in force.
# Every setting and its default: docs/reference/settings.md.

[gate]
listen = {listen}          # where clients connect; beyond this machine, set tls_certificate and tls_key too
data = {data}                       # the folder of the ledger

[house]
listen = {house}          # the console and the admin API

[organisation]
name = {name}
time_zone = {zone}                  # where days, weeks and months begin and end
# caps.month = "6500"               # a cap on everything …
# reserve_production = "75%"        # … of which the other environments leave this much to production

# One way to a model. Secrets are only named here: "env:NAME" or "file:PATH".
# Before real production traffic, give production a path with a credential of its own.
[paths.{path}]
base_url = {base_url}
credential = {credential}
{rehearsal}
# Each workspace has a hard cap a month, and two brakes that act without a human: at most 15 % of it in a day and 30 % in a week
# that begins on Friday, so that a script left running over a weekend has not eaten the month by Monday.
[workspaces.development]
environment = "development"
paths = [{path_text}]
models = ["*"]                      # every model that has a price; better: name them
caps.month = "500"

[workspaces.ci]
environment = "ci"
paths = [{path_text}]
models = ["*"]
caps.month = "1000"

[workspaces.production]
environment = "production"
paths = [{path_text}]
models = ["*"]
caps.month = "5000"
on_disconnect = "drain"             # when a client hangs up, read on for the true count

# One more cap, at any level: user, team, service, key, repository, session, pull_request, cost_centre, customer, use, workflow, model …
# [[budget]]
# scope = "user:*"                  # each user
# period = "day"
# cap = "25"
"""


# What the examples of the page show beside the settings that are needed.
_SHOWN = frozenset({"caps.month", "cap"})
_NAMES = {"paths": "openai", "workspaces": "development"}


def default_file(
    name: str = "My organisation",
    zone: str = "UTC",
    *,
    listen: str = "127.0.0.1:8080",
    house: str = "127.0.0.1:8081",
    data: str = "data",
    path: str = "openai",
    base_url: str = "https://api.openai.com/v1",
    credential: str = "env:OPENAI_API_KEY",
    rehearsal: bool = False,
) -> str:
    """The text of a first configuration: development, CI and production at $500, $1,000 and $5,000 a month over one direct path."""
    return _DEFAULT.format(
        listen=_quoted(listen),
        house=_quoted(house),
        data=_quoted(data),
        name=_quoted(name),
        zone=_quoted(zone),
        path=path,
        path_text=_quoted(path),
        base_url=_quoted(base_url),
        credential=_quoted(credential),
        rehearsal="rehearsal = true                    # its answers never enter a ledger of real calls\n" if rehearsal else "",
    )


def settings_page() -> str:
    """`docs/reference/settings.md`."""
    lines = [
        "# Settings",
        "",
        f"Everything that `{FILE_NAME}` may say. The page is generated from the table that also reads and checks the file. A name that is",
        "not here is an error, and so is a value of another kind; every error says file, line, what was expected, what was found and an",
        "example. Secrets are only named (`env:NAME`, `file:PATH`). Money is text or whole dollars, never a number with a decimal point.",
    ]
    for table, section in SECTIONS.items():
        lines += [
            "",
            f"## `{section.header}`",
            "",
            section.means,
            "",
            "| setting | value | default | what it does |",
            "| --- | --- | --- | --- |",
        ]
        lines += [_row(setting) for setting in section.settings]
        shown = [setting.line for setting in section.settings if setting.needed or setting.key in _SHOWN]
        if shown:
            lines += ["", "```toml", section.header.replace("NAME", _NAMES.get(table, "")), *shown, "```"]
    return "\n".join(lines) + "\n"


def _row(setting: Setting[object]) -> str:
    default = "**needed**" if setting.needed else f"`{setting.default}`" if setting.default is not None else setting.otherwise
    return f"| `{setting.key}` | {_cell(setting.kind.expects)} | {_cell(default)} | {_cell(setting.means)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _quoted(text: str) -> str:
    """A TOML basic string (toml.io, v1.0.0, String)."""
    marks = {'"': '\\"', "\\": "\\\\"}
    plain = (marks.get(one, one if one.isprintable() else f"\\U{ord(one):08X}") for one in text)
    return f'"{"".join(plain)}"'
