"""What the tables of the file ask of one another: names that exist, caps that are written once, production that nobody can starve."""

from __future__ import annotations

from headgate.config import table as known
from headgate.config.budgets import entry_rules, organisation_rules, workspace_rules
from headgate.config.kinds import Share, describe, is_loopback, nearest
from headgate.config.lines import Place
from headgate.config.reading import Reading
from headgate.config.settings import Settings
from headgate.config.shares import starvers
from headgate.policy.workspace import HostedTools
from headgate.terms.budget import BudgetRule, Measure
from headgate.terms.caller import Dimension, Environment

# Regional endpoints of OpenAI cost a tenth more for models released since 2026-03-05 (data residency guide).
_REGIONAL = frozenset(f"{region}.api.openai.com" for region in ("us", "eu", "au", "in", "jp"))


def crosscheck(reading: Reading, settings: Settings, paths: frozenset[str], workspaces: frozenset[str]) -> None:
    """`paths` and `workspaces` are the names that were written, also where their tables could not be read."""
    for check in (_addresses, _rehearsals, _credentials, _environments, _regions):
        check(reading, settings)
    _references(reading, settings, paths, workspaces)
    _workspaces(reading, settings)
    names = _duplicates(reading, settings)
    if not reading.problems:
        _starvation(reading, settings, names)


def _addresses(reading: Reading, settings: Settings) -> None:
    gate, house = settings.gate.listen, settings.house.listen
    if gate == house and gate.port != 0:
        reading.problem(("house", "listen"), "another address than the gate's", describe(str(house)), known.HOUSE_LISTEN.line)
    if not is_loopback(house.host):
        # It tells keys, budgets and doubts to whoever asks: there is no log-in yet.
        reading.problem(("house", "listen"), "an address of this machine alone (loopback)", describe(str(house)), known.HOUSE_LISTEN.line)
    if not is_loopback(gate.host) and settings.gate.tls_certificate is None:
        reading.caution(("gate", "listen"), f"keys and prompts cross the network in clear on {gate}; set tls_certificate and tls_key")


def _rehearsals(reading: Reading, settings: Settings) -> None:
    if len({path.access.rehearsal for path in settings.paths.values()}) > 1:
        for name, path in settings.paths.items():
            if path.access.rehearsal:
                reading.problem(
                    ("paths", name, "rehearsal"),
                    "either all paths or none to lead to a rehearsal: both would write in one ledger",
                    "true, beside a path that is real",
                    "rehearsal = false, or another file with another data folder",
                )


def _credentials(reading: Reading, settings: Settings) -> None:
    """One path for all is a caution in this release; the same credential under two names is a mistake in any."""
    uses = {
        name: {one.environment for one in settings.workspaces.values() if name in one.paths}
        for name, path in settings.paths.items()
        if not path.access.rehearsal
    }
    for name, environments in uses.items():
        others = environments - {Environment.PRODUCTION}
        if others and len(others) < len(environments):
            shown = ", ".join(sorted(one.value for one in others))
            reading.caution(
                ("paths", name),
                f"production shares this path and its credential with {shown}; give production a path with a credential of its own",
            )
    names = list(uses)
    for number, name in enumerate(names):
        for earlier in names[:number]:
            apart = (Environment.PRODUCTION in uses[name]) != (Environment.PRODUCTION in uses[earlier])
            if apart and uses[name] and uses[earlier] and settings.paths[name].credential == settings.paths[earlier].credential:
                reading.problem(
                    ("paths", name, "credential"),
                    "a credential of its own: production and the other environments never share one",
                    f"the same secret as paths.{earlier}",
                    'credential = "env:OPENAI_PRODUCTION_KEY"',
                )


def _environments(reading: Reading, settings: Settings) -> None:
    there = {one.environment for one in settings.workspaces.values()}
    missing = [environment.value for environment in Environment if environment not in there]
    if missing and settings.workspaces:
        reading.caution(
            ("workspaces",), f"no workspace for {' and '.join(missing)}; keep the three environments apart before the first key"
        )


def _regions(reading: Reading, settings: Settings) -> None:
    for name, path in settings.paths.items():
        if path.access.host in _REGIONAL and path.uplift_percent == 0:
            place: Place = ("paths", name, "base_url")
            reading.caution(place, 'regional endpoints cost a tenth more for newer models; set region_uplift = "10%"')


def _references(reading: Reading, settings: Settings, paths: frozenset[str], workspaces: frozenset[str]) -> None:
    for name, one in settings.workspaces.items():
        for number, path in enumerate(one.paths):
            if path not in paths:
                _missing(reading, ("workspaces", name, "paths", number), "path", path, paths, known.WORKSPACE_PATHS.line)
    for entry in settings.budgets:
        place: Place = ("budget", entry.number)
        if entry.workspace is not None and entry.workspace not in workspaces:
            _missing(reading, (*place, "workspace"), "workspace", entry.workspace, workspaces, known.BUDGET_WORKSPACE.line)
        if entry.workspace is not None and entry.scope.dimension is Dimension.WORKSPACE:
            reading.problem((*place, "workspace"), "no workspace beside a scope that is one", describe(entry.workspace), 'scope = "user:*"')
        for dimension, names in ((Dimension.WORKSPACE, workspaces), (Dimension.PATH, paths)):
            if entry.scope.dimension is dimension and entry.scope.value not in (*names, "*"):
                _missing(reading, (*place, "scope"), dimension.value, entry.scope.value, names, f'scope = "{dimension.value}:{min(names)}"')


def _missing(reading: Reading, place: Place, what: str, name: str, names: frozenset[str], example: str) -> None:
    known_names = ", ".join(sorted(names)) or "none"
    hint = nearest(name, sorted(names))
    reading.problem(place, f"the name of a {what} of this file ({known_names})", f"{describe(name)}{hint}", example)


def _workspaces(reading: Reading, settings: Settings) -> None:
    for name, one in settings.workspaces.items():
        draw = settings.draws[name]
        if not any(cap.measure is Measure.MONEY for cap in draw.caps):
            reading.problem(("workspaces", name, "caps"), "at least one cap in money", "none", 'caps.month = "500"')
        if draw.day_brake is None or draw.week_brake is None:
            reading.caution(("workspaces", name), "without its brakes a script left running can eat the month in a night")
        if one.hosted_tools is HostedTools.ALLOW and one.web_search_calls == 0:
            reading.problem(
                ("workspaces", name, "web_search_calls"), 'more than 0 with hosted_tools = "allow"', "0", known.WEB_SEARCH_CALLS.line
            )
        for setting, most in ((known.OUTPUT, one.output_tokens), (known.MOST_OUTPUT, one.most_output_tokens)):
            least = min(one.least_output_tokens, one.least_reasoning_tokens)
            if most is not None and most < least:
                text = f"at least {least}, below which no answer is shortened"
                reading.problem(("workspaces", name, setting.key), text, str(most), setting.line)


def _duplicates(reading: Reading, settings: Settings) -> dict[str, Place]:
    """Where each rule was written. A second rule of the same name would quarrel with the first about one budget."""
    places: dict[str, Place] = {}
    for rule in organisation_rules(settings.organisation):
        places.setdefault(rule.name, ("organisation", _caps_table(rule), rule.period.value))
    for name, draw in settings.draws.items():
        for rule in workspace_rules(name, draw, settings.organisation):
            places[rule.name] = ("workspaces", name, _caps_table(rule), rule.period.value)
    for entry in settings.budgets:
        place: Place = ("budget", entry.number, "scope")
        rule = next(entry_rules(entry))
        if rule.name in places:
            line = reading.line(places[rule.name])
            found = f"the same scope, period and unit as on line {line}"
            reading.problem(place, "a scope, period and unit that no other cap has", found, 'scope = "team:payments"')
        else:
            places[rule.name] = place
    return places


def _caps_table(rule: BudgetRule) -> str:
    return "caps" if rule.measure is Measure.MONEY else "token_caps"


def _starvation(reading: Reading, settings: Settings, places: dict[str, Place]) -> None:
    own = {name: list(workspace_rules(name, draw, settings.organisation)) for name, draw in settings.draws.items()}
    written: list[tuple[BudgetRule, Share | None, Place]] = [
        (rule, settings.organisation.reserve, ("organisation", known.ORGANISATION_RESERVE.key))
        for rule in organisation_rules(settings.organisation)
        if rule.except_environment is None
    ]
    written += [(next(entry_rules(entry)), entry.reserve, ("budget", entry.number, known.BUDGET_RESERVE.key)) for entry in settings.budgets]
    for rule, reserve, place in written:
        if reserve is not None:
            if rule.workspace is not None or rule.dimension is Dimension.WORKSPACE:
                reading.problem(place, "no share where only one workspace draws", "reserve_production", "leave the line out")
            elif reserve.amount is not None and rule.measure is Measure.TOKENS:
                reading.problem(place, "a part in percent for a cap in tokens", "dollars", known.BUDGET_RESERVE.line)
            elif reserve.of(rule.cap) >= rule.cap:
                reading.problem(place, "less than the cap", "all of it", known.BUDGET_RESERVE.line)
            continue
        hungry = starvers(rule, settings.workspaces, settings.paths, own)
        if hungry:
            reading.problem(
                places[rule.name],
                "a share that production keeps (reserve_production), or a cap that all who draw on it cannot fill",
                f"a cap that {', '.join(hungry)} could use up before production has drawn on it",
                known.BUDGET_RESERVE.line,
            )
