"""`headgate init` and `headgate check`: a file to start from, and everything that is wrong or unwise about one."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.assembly import SYSTEM_CLOCK
from headgate.cli.ending import Exit, fail
from headgate.cli.reach import config_option, json_option, read_settings
from headgate.cli.tables import show_instant, show_json
from headgate.config.reference import default_file
from headgate.config.settings import Settings
from headgate.control.caps import Override
from headgate.control.reports import overrides
from headgate.ledger.reserve import show_amount
from headgate.store.folder import LEDGER_FILE
from headgate.store.sqlite import StoreError, open_reader


@click.command()
@config_option
def init(config_file: Path) -> None:
    """Write headgate.toml: development, CI and production at $500, $1,000 and $5,000 a month."""
    try:
        config_file.parent.mkdir(parents=True, exist_ok=True)
        with config_file.open("x", encoding="utf-8") as opened:
            opened.write(default_file())
    except FileExistsError:
        fail(Exit.FAILED, f"{config_file} exists and is left as it is; edit it, or name another file with --config")
    except OSError as error:
        fail(Exit.FAILED, f"{config_file}: cannot be written ({error.strerror})")
    click.echo(f"wrote {config_file}; next: read it, set OPENAI_API_KEY, then `headgate check` and `headgate serve`")


@click.command()
@config_option
@json_option
def check(config_file: Path, as_json: bool) -> None:
    """Read headgate.toml and say everything that is wrong or unwise; exit code 3 when it cannot be used."""
    settings = read_settings(config_file)
    standing = _overrides(settings)
    if as_json:
        rules = [{"rule": rule.name, "cap": rule.cap} for rule in settings.rules]
        show_json({"config": settings.digest, "rules": rules, "cautions": [str(c) for c in settings.cautions], "overrides": standing})
        return
    for rule in settings.rules:
        click.echo(f"{rule.name:48} {show_amount(rule.measure, rule.cap)}")
    for override in standing:
        click.echo(f"override: {override.scope} ({override.rule}) until {show_instant(override.expires_us)} UTC: {override.reason}")
    for caution in settings.cautions:
        click.echo(f"caution: {caution}")
    click.echo(f"{config_file} is sound: {len(settings.workspaces)} workspaces, {len(settings.paths)} path(s), {len(settings.rules)} rules")


def _overrides(settings: Settings) -> list[Override]:
    """The overrides in force, when there is a ledger already."""
    if not (settings.gate.data / LEDGER_FILE).exists():
        return []
    try:
        return overrides(open_reader(settings.gate.data / LEDGER_FILE), SYSTEM_CLOCK.wall_us())
    except StoreError as error:
        fail(Exit.STORE, str(error))
