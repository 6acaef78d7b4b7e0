"""`headgate init` and `headgate check`: a file to start from, and everything that is wrong or unwise about one."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.assembly import SYSTEM_CLOCK, prove_tls
from headgate.cli.ending import Exit, fail
from headgate.cli.reach import config_option, json_option, read_settings, refuse
from headgate.cli.tables import show_instant, show_json
from headgate.config.problem import ConfigError
from headgate.config.reference import default_file
from headgate.config.settings import Settings
from headgate.control.caps import Override
from headgate.control.reports import keys, overrides
from headgate.ledger.reserve import show_amount
from headgate.store.folder import LEDGER_FILE
from headgate.store.sqlite import StoreError, open_reader


@click.command()
@config_option
def init(config_file: Path) -> None:
    """Write headgate.toml: development, CI and production at $500, $1,000 and $5,000 a month."""
    try:
        if not config_file.parent.is_dir():
            config_file.parent.mkdir(parents=True)
        with config_file.open("x", encoding="utf-8") as opened:
            opened.write(default_file())
    except FileExistsError as error:
        if not config_file.exists():
            fail(Exit.FAILED, f"{config_file}: cannot be written ({error.filename} is not a folder)")
        fail(Exit.FAILED, f"{config_file} exists and is left as it is; edit it, or name another file with --config")
    except OSError as error:
        fail(Exit.FAILED, f"{config_file}: cannot be written ({error.strerror})")
    click.echo(f"wrote {config_file}; next: read it, set OPENAI_API_KEY, then `headgate check`, `headgate serve` and `headgate key issue`")


@click.command()
@config_option
@json_option
def check(config_file: Path, as_json: bool) -> None:
    """Read headgate.toml and say everything that is wrong or unwise; exit code 3 when it cannot be used."""
    settings = read_settings(config_file)
    try:
        prove_tls(settings)
    except ConfigError as error:
        refuse(config_file, error)
    standing, ending = _of_the_book(settings)
    cautions = [*map(str, settings.cautions), *ending]
    if as_json:
        rules = [{"rule": rule.name, "cap": rule.cap} for rule in settings.rules]
        show_json({"config": settings.digest, "rules": rules, "cautions": cautions, "overrides": standing})
        return
    for rule in settings.rules:
        click.echo(f"{rule.name:48} {show_amount(rule.measure, rule.cap)}")
    for override in standing:
        click.echo(f"override: {override.scope} ({override.rule}) until {show_instant(override.expires_us)} UTC: {override.reason}")
    for caution in cautions:
        click.echo(f"caution: {caution}")
    click.echo(f"{config_file} is sound: {len(settings.workspaces)} workspaces, {len(settings.paths)} path(s), {len(settings.rules)} rules")


def _of_the_book(settings: Settings) -> tuple[list[Override], list[str]]:
    """The overrides in force and what is to be said of keys, when there is a ledger already."""
    if not (settings.gate.data / LEDGER_FILE).exists():
        return [], []
    now = SYSTEM_CLOCK.wall_us()
    try:
        book = open_reader(settings.gate.data / LEDGER_FILE)
        standing, found = overrides(book, now), keys(book)
    except StoreError as error:
        fail(Exit.STORE, str(error))
    told: list[str] = []
    for key in found:
        state = key.state(now)
        if state == "ends soon" and key.rotated_to is None:
            told.append(
                f"key {key.id} ({key.label}, {key.workspace}) ends {show_instant(key.expires_us)} UTC: headgate key rotate {key.id}"
            )
        if state in ("active", "ends soon") and key.workspace not in settings.workspaces:
            told.append(f"key {key.id} ({key.label}) is of workspace {key.workspace}, which is not in this file: calls with it are refused")
    return standing, told
