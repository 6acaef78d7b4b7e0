"""Settings from what was read: each table of the file as its value, with files and secrets fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from headgate.config import table as known
from headgate.config.crosscheck import crosscheck
from headgate.config.problem import Unfit
from headgate.config.reading import Reading, Values
from headgate.config.secret import Secret, fetch
from headgate.config.settings import BudgetEntry, Cap, Draw, Gate, House, Organisation, PathSettings, Settings
from headgate.config.table import Setting
from headgate.paths.path import AccessPath
from headgate.policy.workspace import StalePrices, Workspace
from headgate.terms.budget import Calendar, Measure, Period
from headgate.terms.caller import Environment

T = TypeVar("T")


def build(reading: Reading, table: dict[str, object], file: Path, digest: str, environment: Mapping[str, str]) -> Settings | None:
    """The settings, or None when `reading` has collected problems. What could be read is checked all the same."""
    folder = file.parent
    gate = _section(reading, table, "gate")
    house = _section(reading, table, "house")
    organisation = _section(reading, table, "organisation")
    path_values = reading.named(table.get("paths", {}), "paths", known.PATHS_SECTION)
    workspace_values = reading.named(table.get("workspaces", {}), "workspaces", known.WORKSPACES_SECTION)
    budget_values = reading.several(table.get("budget", []), "budget", known.BUDGET_SECTION)
    for name, section in (("paths", known.PATHS_SECTION), ("workspaces", known.WORKSPACES_SECTION)):
        if not table.get(name):
            reading.problem((name,), f"at least one {section.header}", "none", section.header.replace("NAME", "first"))

    told = organisation and _organisation(organisation)
    workspaces = {name: _workspace(name, values) for name, values in workspace_values.items() if values}
    shared = _shared(workspaces)
    paths = {
        name: path
        for name, values in path_values.items()
        if values and (path := _path(reading, name, values, name in shared, folder, environment))
    }
    budgets = [_budget(reading, values, told) for values in budget_values if values and told]
    gate_value = gate and _gate(reading, gate, folder)
    if reading.problems and not (gate_value and house and told):
        return None
    assert gate_value and house and told, "what was read without a problem is there"
    settings = Settings(
        file=file,
        digest=digest,
        gate=gate_value,
        house=House(house[known.HOUSE_LISTEN]),
        organisation=told,
        paths=paths,
        workspaces=workspaces,
        draws={name: _draw(values) for name, values in workspace_values.items() if values},
        budgets=tuple(entry for entry in budgets if entry),
    )
    crosscheck(reading, settings, frozenset(path_values), frozenset(workspace_values))
    return None if reading.problems else settings


def _section(reading: Reading, table: dict[str, object], name: str) -> Values | None:
    return reading.table(table.get(name, {}), (name,), known.SECTIONS[name])


def _shared(workspaces: dict[str, Workspace]) -> frozenset[str]:
    """The paths that production and another environment both use."""
    mine = {path for one in workspaces.values() if one.protected for path in one.paths}
    theirs = {path for one in workspaces.values() if not one.protected for path in one.paths}
    return frozenset(mine & theirs)


def _file(reading: Reading, values: Values, setting: Setting[str | None], folder: Path) -> Path | None:
    """A file that must be there now, not when the first call needs it."""
    name = values[setting]
    if name is None:
        return None
    file = folder / name
    try:
        file.open("rb").close()
    except OSError as error:
        reading.refuse(values, setting, Unfit(f"{file}: {error.strerror}", "a file that can be read"))
    return file


def _pair(reading: Reading, values: Values, one: Setting[str | None], other: Setting[str | None]) -> None:
    for there, missing in ((one, other), (other, one)):
        if values[there] is not None and values[missing] is None:
            reading.refuse(values, missing, Unfit("nothing", f"a value, because {there.key} has one"))


def _gate(reading: Reading, values: Values, folder: Path) -> Gate:
    _pair(reading, values, known.TLS_CERTIFICATE, known.TLS_KEY)
    return Gate(
        listen=values[known.LISTEN],
        data=folder / values[known.DATA],
        tls_certificate=_file(reading, values, known.TLS_CERTIFICATE, folder),
        tls_key=_file(reading, values, known.TLS_KEY, folder),
        networks=values[known.GATE_NETWORKS],
        most_connections=values[known.GATE_CONNECTIONS],
        body_limit_bytes=values[known.BODY_LIMIT] * 1024 * 1024,
        drain_seconds=values[known.DRAIN],
    )


def _caps(values: Values) -> tuple[Cap, ...]:
    money = ((period, Measure.MONEY, values[setting]) for period, setting in known.CAPS.items())
    tokens = ((period, Measure.TOKENS, values[setting]) for period, setting in known.TOKEN_CAPS.items())
    return tuple(Cap(period, measure, amount) for period, measure, amount in (*money, *tokens) if amount is not None)


def _organisation(values: Values) -> Organisation:
    return Organisation(
        name=values[known.ORGANISATION_NAME],
        zone=values[known.TIME_ZONE],
        fiscal_month=values[known.FISCAL_MONTH],
        caps=_caps(values),
        reserve=values[known.ORGANISATION_RESERVE],
    )


def _path(reading: Reading, name: str, values: Values, shared: bool, folder: Path, environment: Mapping[str, str]) -> PathSettings | None:
    origin = values[known.BASE_URL]
    _pair(reading, values, known.CLIENT_CERTIFICATE, known.CLIENT_KEY)
    credential = _credential(reading, values, folder, environment)
    most, reserved = values[known.PATH_CONNECTIONS], values[known.RESERVED]
    if reserved is None:
        reserved = -(-most // 4) if shared and most > 1 else 0
    elif shared and reserved == 0:
        reading.refuse(values, known.RESERVED, Unfit("0", "at least 1, because production shares this path with other environments"))
    elif reserved >= most and reserved > 0:
        reading.refuse(values, known.RESERVED, Unfit(str(reserved), f"less than most_connections, which is {most}"))
    if shared and most == 1:
        reading.refuse(values, known.PATH_CONNECTIONS, Unfit("1", "at least 2, because production shares this path and keeps one"))
    ca_file, certificate, key = (
        _file(reading, values, setting, folder) for setting in (known.CA_FILE, known.CLIENT_CERTIFICATE, known.CLIENT_KEY)
    )
    if credential is None:
        return None
    return PathSettings(
        access=AccessPath(
            name=name,
            kind=values[known.KIND],
            host=origin.host,
            port=origin.port,
            tls=origin.tls,
            base=origin.base,
            commitment=values[known.COMMITMENT],
            rehearsal=values[known.REHEARSAL],
        ),
        credential=credential,
        openai_organization=values[known.OPENAI_ORGANIZATION],
        openai_project=values[known.OPENAI_PROJECT],
        prices=values[known.PRICES],
        uplift_percent=values[known.REGION_UPLIFT],
        ca_file=ca_file,
        client_certificate=certificate,
        client_key=key,
        most_connections=most,
        reserved_production=reserved,
        connect_seconds=values[known.CONNECT],
        head_seconds=values[known.HEAD],
        idle_seconds=values[known.IDLE],
    )


def _credential(reading: Reading, values: Values, folder: Path, environment: Mapping[str, str]) -> Secret | None:
    try:
        secret, caution = fetch(values[known.CREDENTIAL], environment, folder)
    except Unfit as unfit:
        reading.refuse(values, known.CREDENTIAL, unfit)
        return None
    if caution:
        reading.caution((*values.place, known.CREDENTIAL.key), caution)
    return secret


def _workspace(name: str, values: Values) -> Workspace:
    environment, models = values[known.ENVIRONMENT], values[known.MODELS]
    stale = StalePrices.STOP if environment is Environment.PRODUCTION else StalePrices.WARN
    return Workspace(
        name=name,
        environment=environment,
        paths=values[known.WORKSPACE_PATHS],
        models=None if "*" in models else frozenset(models),
        tiers=frozenset(values[known.TIERS]),
        hosted_tools=values[known.HOSTED_TOOLS],
        web_search_calls=values[known.WEB_SEARCH_CALLS],
        require=values[known.REQUIRE],
        networks=values[known.NETWORKS],
        output_tokens=values[known.OUTPUT],
        most_output_tokens=values[known.MOST_OUTPUT],
        least_output_tokens=values[known.LEAST_OUTPUT],
        least_reasoning_tokens=values[known.LEAST_REASONING],
        wait_ms=values[known.WAIT],
        on_disconnect=values[known.ON_DISCONNECT],
        stale_prices=values[known.STALE] or stale,
    )


def _draw(values: Values) -> Draw:
    return Draw(_caps(values), values[known.DAY_BRAKE], values[known.WEEK_BRAKE], values[known.WEEK_STARTS])


def _budget(reading: Reading, values: Values, organisation: Organisation) -> BudgetEntry | None:
    money, tokens = values[known.BUDGET_CAP], values[known.BUDGET_TOKENS]
    cap = tokens if money is None else money
    if cap is None or (money is not None and tokens is not None):
        found = "neither" if cap is None else "both"
        reading.refuse(values, known.BUDGET_CAP, Unfit(found, "exactly one of cap (dollars) and token_cap (tokens)"))
        return None
    fiscal = values[known.BUDGET_FISCAL]
    return BudgetEntry(
        scope=values[known.BUDGET_SCOPE],
        period=values[known.BUDGET_PERIOD],
        measure=Measure.TOKENS if money is None else Measure.MONEY,
        cap=cap,
        workspace=values[known.BUDGET_WORKSPACE],
        reserve=values[known.BUDGET_RESERVE],
        calendar=Calendar(
            zone=values[known.BUDGET_ZONE] or organisation.zone,
            week_start=values[known.BUDGET_WEEK],
            fiscal_month=organisation.fiscal_month if fiscal is None else fiscal,
            term=_term(reading, values),
        ),
        number=int(values.place[-1]),
    )


def _term(reading: Reading, values: Values) -> tuple[str, str] | None:
    first, last = values[known.BUDGET_FIRST], values[known.BUDGET_LAST]
    if values[known.BUDGET_PERIOD] is not Period.TERM:
        for setting in (known.BUDGET_FIRST, known.BUDGET_LAST):
            if values[setting] is not None:
                reading.refuse(values, setting, Unfit("a date", 'no date, because the period is not "term"'))
        return None
    for setting in (known.BUDGET_FIRST, known.BUDGET_LAST):
        if values[setting] is None:
            reading.refuse(values, setting, Unfit("nothing"))
    if first is None or last is None:
        return None
    if last < first:
        reading.refuse(values, known.BUDGET_LAST, Unfit(last, f"a day not before first_day, {first}"))
    return first, last
