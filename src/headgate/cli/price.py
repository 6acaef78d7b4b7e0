"""`headgate price`: what is charged per unit, where that comes from, and a reviewed way to change it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click
import msgspec

from headgate.assembly import SYSTEM_CLOCK, public_sheet
from headgate.cli.ending import Exit, fail
from headgate.cli.reach import actor, command, config_option, json_option, read_book, read_settings
from headgate.cli.tables import show_json, show_table
from headgate.config.settings import Settings
from headgate.control.command import ImportPrices
from headgate.control.prices import Imported, changes, listed
from headgate.names import Instant
from headgate.pricing.book import PriceBook, price_book
from headgate.pricing.entry import Sheet
from headgate.pricing.sheet import read_sheet
from headgate.pricing.show import DIFF_COLUMNS, LIST_COLUMNS, SHOW_COLUMNS, diff_rows, facts_of, list_rows, show_rows
from headgate.pricing.vendored import OPENAI_PUBLIC, read_vendored


@click.group()
def price() -> None:
    """List, show, compare and import prices."""


@price.command("list")
@config_option
@json_option
@click.option("--path", "path_name", help="Only this path.")
def list_(config_file: Path, as_json: bool, path_name: str | None) -> None:
    """One line per model and path: its standard prices in dollars per million tokens, and when they were verified."""
    settings = read_settings(config_file)
    book, now = _book(settings), _now()
    names = [_path(settings, path_name)] if path_name is not None else list(settings.paths)
    found = [row for name in names for row in list_rows(book.models(name, now), now)]
    if as_json:
        show_json([dict(zip(LIST_COLUMNS, row, strict=True)) for row in found])
    else:
        show_table(LIST_COLUMNS, found, "The price book is empty: headgate price import FILE (or --public)")


@price.command("show")
@config_option
@json_option
@click.argument("model")
@click.option("--path", "path_name", help="On this path; the first one otherwise.")
def show(config_file: Path, as_json: bool, model: str, path_name: str | None) -> None:
    """Every price of MODEL: unit, tier, context band; and its window."""
    settings = read_settings(config_file)
    name = _path(settings, path_name) if path_name is not None else next(iter(settings.paths))
    tariff = _book(settings).tariff(name, model, _now())
    if tariff is None:
        fail(Exit.FAILED, f"{model!r} has no price on path {name}; `headgate price list` shows what has")
    if as_json:
        prices = [dict(zip(SHOW_COLUMNS, row, strict=True)) for row in show_rows(tariff)]
        facts: dict[str, object] = {row[0]: row[1] for row in facts_of(tariff, _now())}
        show_json(facts | {"prices": prices})
        return
    for fact, value in facts_of(tariff, _now()):
        click.echo(f"{fact:12} {value}")
    show_table(SHOW_COLUMNS, show_rows(tariff), "No prices.")


@price.command("diff")
@config_option
@json_option
@click.argument("sheet", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--public", is_flag=True, help="Compare with the public table that ships with this version.")
def diff(config_file: Path, as_json: bool, sheet: Path | None, public: bool) -> None:
    """What importing SHEET would change."""
    settings = read_settings(config_file)
    found = changes(listed(read_book(settings).run("tariffs")), _read(sheet, public))
    if as_json:
        show_json([dict(zip(DIFF_COLUMNS, row, strict=True)) for row in diff_rows(found)])
    else:
        show_table(DIFF_COLUMNS, diff_rows(found), "No difference.")


@price.command("import")
@config_option
@json_option
@click.argument("sheet", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--public", is_flag=True, help="The public table that ships with this version.")
@click.option("--force", is_flag=True, help="Also when a price falls by more than half.")
def import_(config_file: Path, as_json: bool, sheet: Path | None, public: bool, force: bool) -> None:
    """Import SHEET. Rows are added, never changed; a call keeps the row it was held with."""
    settings = read_settings(config_file)
    _read(sheet, public)  # what is wrong with a sheet is told here, whoever would import it
    text = public_sheet() if public or sheet is None else sheet.read_text("utf-8")
    made = msgspec.convert(command(settings, ImportPrices(actor=actor(), sheet=text, force=force)), Imported)
    if as_json:
        show_json(made)
    else:
        click.echo(f"{made.sheet}: {made.models} models, {made.fresh} new row(s), sheet {made.digest[:12]}")


def _path(settings: Settings, name: str) -> str:
    if name not in settings.paths:
        fail(Exit.FAILED, f"there is no path {name!r}; headgate.toml has: {', '.join(settings.paths)}")
    return name


def _read(sheet: Path | None, public: bool) -> Sheet:
    if public is (sheet is not None):
        fail(Exit.USAGE, "name a SHEET, or --public")
    if public:
        found = read_vendored(OPENAI_PUBLIC, files("headgate.pricing").joinpath("data", OPENAI_PUBLIC.file).read_bytes())
    else:
        assert sheet is not None
        try:
            found = read_sheet(sheet.read_bytes())
        except OSError as error:
            fail(Exit.FAILED, f"{sheet}: cannot be read ({error.strerror})")
    if isinstance(found, list):
        told = "\n".join(f"  {p.place}: found {p.found}; expected {p.expected}, for example {p.example}" for p in found[:20])
        fail(Exit.FAILED, f"{len(found)} problem(s) in the sheet:\n{told}")
    return found


def _book(settings: Settings) -> PriceBook:
    kinds = {name: path.prices for name, path in settings.paths.items()}
    return price_book(
        listed(read_book(settings).run("tariffs")), kinds, {name: path.uplift_percent for name, path in settings.paths.items()}
    )


def _now() -> Instant:
    return Instant(SYSTEM_CLOCK.wall_us())
