"""Writes docs/reference from the source: every refusal, every setting, every command. `make docs` runs it; a test compares."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click

FOLDER = Path(__file__).resolve().parent.parent / "docs/reference"


def commands_page() -> str:
    """`docs/reference/commands.md`, from the tree that `headgate --help` shows."""
    tree = import_module("headgate.cli.main").cli
    lines = [
        "# Commands",
        "",
        "Every command and what it takes. The page is generated from the commands themselves; `headgate COMMAND --help` says the same.",
        "Commands that change something talk to the running gate over its socket, or work offline under the lock of the data folder.",
    ]
    for names, command in leaves(tree, ("headgate",)):
        lines += ["", f"## `{' '.join(names)}`", "", sentence(command), "", "```", usage(names, command), "```"]
        rows = [row for parameter in command.params if (row := line_of(parameter)) is not None]
        if rows:
            lines += ["", "| option | what it does | default |", "| --- | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def leaves(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its names from the root on."""
    if not isinstance(command, click.Group):
        yield names, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from leaves(inner, (*names, name))


def sentence(command: click.Command) -> str:
    return " ".join((command.help or "").replace("\b", "").split())


def usage(names: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(names))
    return " ".join([*names, *command.collect_usage_pieces(context)])


def line_of(parameter: click.Parameter) -> str | None:
    """One row of the table; None for what the usage line says already, and for what is not meant for people."""
    if not isinstance(parameter, click.Option) or parameter.hidden:
        return None
    takes = "" if parameter.is_flag else f" {parameter.metavar or parameter.type.name.upper()}"
    told = "" if parameter.is_flag or parameter.default is None or callable(parameter.default) else str(parameter.default)
    default = "**needed**" if parameter.required else f"`{told}`" if told and parameter.show_default else ""
    names = ", ".join(f"`{name}{takes}`" for name in parameter.opts)
    return f"| {names.replace('|', chr(92) + '|')} | {(parameter.help or '').replace('|', chr(92) + '|')} | {default} |"


def generated(module: str, function: str) -> Callable[[], str]:
    def page() -> str:
        return getattr(import_module(module), function)()

    return page


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "refusals.md": generated("headgate.wire.refusal_page", "refusal_page"),
    "settings.md": generated("headgate.config.reference", "settings_page"),
}


def page(name: str) -> str | None:
    """One page; None while the code that it is made from is not there."""
    try:
        return PAGES[name]()
    except ModuleNotFoundError as absent:
        if not (absent.name or "").startswith("headgate."):
            raise
        print(f"{name}: not written, because {absent.name} does not exist", file=sys.stderr)
        return None


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        text = page(name)
        if text is not None:
            (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
