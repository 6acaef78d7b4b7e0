from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.written import ENVIRONMENT, GOOD, changed, loaded, problems

from headgate.config.load import load
from headgate.config.problem import ConfigError
from headgate.config.table import SECTIONS
from headgate.money import NANO_PER_DOLLAR
from headgate.policy.workspace import HostedTools, OnDisconnect, StalePrices
from headgate.terms.caller import Dimension, Environment
from headgate.terms.tariff import Tier

DEVELOPMENT = 'models = ["*"]\ncaps.month = "500"'
BUDGET = '\n[[budget]]\nscope = "user:*"\nperiod = "day"\ncap = "5"\n'


def test_a_good_file_becomes_settings_with_every_default_filled_in(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert str(settings.gate.listen) == "127.0.0.1:8080"
    assert settings.gate.data == tmp_path / "data"
    assert settings.gate.body_limit_bytes == 32 * 1024 * 1024
    assert settings.organisation.zone == "Europe/Berlin"
    assert settings.paths["openai"].credential.reveal() == b"sk-shared"
    assert settings.paths["openai"].access.base == "/v1"
    assert not settings.rehearsal
    assert settings.cautions == ()
    ci, production = settings.workspaces["ci"], settings.workspaces["production"]
    assert ci.environment is Environment.CI
    assert ci.models == {"gpt-5.5"}
    assert settings.workspaces["development"].models is None
    assert (ci.wait_ms, ci.least_output_tokens, ci.least_reasoning_tokens) == (5000, 4096, 8192)
    assert ci.hosted_tools is HostedTools.DROP_FOR_CODEX
    assert ci.on_disconnect is OnDisconnect.DRAIN
    assert ci.tiers == {Tier.STANDARD}
    assert (ci.stale_prices, production.stale_prices) == (StalePrices.WARN, StalePrices.STOP)


def test_two_texts_have_two_digests_and_one_text_has_one(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD).digest == loaded(tmp_path, GOOD).digest != loaded(tmp_path, GOOD + "#").digest


def test_no_text_of_the_settings_holds_a_secret(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert "sk-" not in repr(settings)


# What is changed in the good file, a text on the line that must be told, the key that must be told, and words of the message.
MISTAKES = [
    # names
    ('name = "Acme"', 'nmae = "Acme"', "nmae", "organisation.nmae", ['did you mean "name"?', 'name = "Acme"']),
    ('name = "Acme"', 'timezone = "UTC"', "timezone", "organisation.timezone", ['did you mean "time_zone"?']),
    ('name = "Acme"', 'listen = "127.0.0.1:1"', "listen", "organisation.listen", ["it belongs to [gate] or [house]"]),
    ("[organisation]", "[orgnisation]", "[orgnisation]", "orgnisation", ['did you mean "organisation"?']),
    ("[organisation]", 'hosted_tools = "allow"\n[organisation]', "hosted_tools", "hosted_tools", ["it belongs to [workspaces.NAME]"]),
    ('"500"', '"500"\ncaps.fortnight = "5"', "fortnight", "workspaces.development.caps.fortnight", ["unknown name"]),
    ('"500"', '"500"\n"caps.day" = "5"', '"caps.day"', "workspaces.development.caps.day", ["unknown name"]),
    ("[workspaces.ci]", "[workspaces.CI]", "[workspaces.CI]", "workspaces.CI", ["small letters"]),
    ("[paths.protected]", "[paths.-x]", "[paths.-x]", "paths.-x", ["small letters"]),
    # wrong types
    ('name = "Acme"', "name = 5", "name = 5", "organisation.name", ["found 5"]),
    ('name = "Acme"', 'name = ""', "name =", "organisation.name", ['found ""']),
    ('"500"', '"500"\nwait_ms = "5s"', "wait_ms", "workspaces.development.wait_ms", ['found "5s"', "wait_ms = 5000"]),
    ('"500"', '"500"\nwait_ms = true', "wait_ms", "workspaces.development.wait_ms", ["found true"]),
    ('"500"', '"500"\ntiers = "flex"', "tiers", "workspaces.development.tiers", ["a list", 'found "flex"']),
    ('"500"', '"500"\ntiers = []', "tiers", "workspaces.development.tiers", ["found an empty list"]),
    ('"500"', '"500"\ntiers = ["standard",\n"flx"]', '"flx"', "workspaces.development.tiers[2]", ['did you mean "flex"?']),
    ('"500"', '"500"\ntiers = ["flex", "flex"]', "tiers", "workspaces.development.tiers[2]", ["a second time"]),
    (DEVELOPMENT, 'models = ["*"]\ncaps = 5', "caps = 5", "workspaces.development.caps", ["a table"]),
    (DEVELOPMENT, 'models = "gpt-5.5"\ncaps.month = "500"', "models", "workspaces.development.models", ['found "gpt-5.5"']),
    ('environment = "ci"', 'environment = "staging"', "staging", "workspaces.ci.environment", ['"development", "ci", "production"']),
    # needed settings
    ('environment = "ci"\n', "", "[workspaces.ci]", "workspaces.ci.environment", ["found nothing"]),
    ('credential = "env:PRODUCTION_KEY"\n', "", "[paths.protected]", "paths.protected.credential", ["env:NAME"]),
    (DEVELOPMENT, 'models = ["*"]', "[workspaces.development]", "workspaces.development.caps", ["at least one cap in money"]),
    (
        DEVELOPMENT,
        'models = ["*"]\ntoken_caps.day = 5',
        "[workspaces.development]",
        "workspaces.development.caps",
        ["at least one cap in money"],
    ),
    # money and numbers
    ('"500"', "500.5", "500.5", "workspaces.development.caps.month", ["a number with a decimal point", 'caps.month = "500"']),
    ('"500"', '"-500"', '"-500"', "workspaces.development.caps.month", ['found "-500"']),
    ('"500"', "-500", "-500", "workspaces.development.caps.month", ["found -500"]),
    ('"500"', '"0"', '"0"', "workspaces.development.caps.month", ["more than 0"]),
    ('"500"', "true", "true", "workspaces.development.caps.month", ["found true"]),
    ('"500"', '"5e3"', '"5e3"', "workspaces.development.caps.month", ['found "5e3"']),
    ('"500"', '"9999999999"', '"9999999999"', "workspaces.development.caps.month", ["found"]),
    ('"500"', "1" + "0" * 200, "caps.month = 1000000000000000", "workspaces.development.caps.month", ["digits"]),
    ('"500"', '"500"\ntoken_caps.day = 0', "token_caps", "workspaces.development.token_caps.day", ["from 1 to 4,000,000"]),
    ('"500"', '"500"\ntoken_caps.day = 1.5', "token_caps", "workspaces.development.token_caps.day", ["decimal point"]),
    ('"500"', '"500"\nday_brake = 15', "day_brake", "workspaces.development.day_brake", ["found 15"]),
    ('"500"', '"500"\nday_brake = "150%"', "day_brake", "workspaces.development.day_brake", ['found "150%"']),
    ('"500"', '"500"\nweek_brake = "0%"', "week_brake", "workspaces.development.week_brake", ['found "0%"']),
    ('"500"', '"500"\nwait_ms = 999999999', "wait_ms", "workspaces.development.wait_ms", ["to 60,000"]),
    ('"500"', '"500"\noutput_tokens = 100', "output_tokens", "workspaces.development.output_tokens", ["at least 4096"]),
    ('"500"', '"500"\nhosted_tools = "allow"', "[workspaces.development]", "workspaces.development.web_search_calls", ["more than 0"]),
    # addresses, zones, networks, days
    ("[organisation]", '[gate]\nlisten = "gate.example.com"\n[organisation]', "listen", "gate.listen", ["host:port"]),
    ("[organisation]", '[gate]\nlisten = "127.0.0.1:99999"\n[organisation]', "listen", "gate.listen", ["host:port"]),
    ("[organisation]", '[gate]\nlisten = "::1:80"\n[organisation]', "listen", "gate.listen", ["brackets"]),
    ("[organisation]", "[gate]\nlisten = 8080\n[organisation]", "listen", "gate.listen", ["found 8080"]),
    ("[organisation]", '[house]\nlisten = "127.0.0.1:8080"\n[organisation]', "listen", "house.listen", ["another address than the gate's"]),
    (
        "[organisation]",
        '[gate]\nnetworks = ["10.0.0.0/8",\n"10.1.2.3/16"]\n[organisation]',
        "10.1.2.3",
        "gate.networks[2]",
        ["10.1.0.0/16"],
    ),
    ("[organisation]", '[gate]\ntls_key = "nowhere"\n[organisation]', "tls_key", "gate.tls_key", ["No such file"]),
    ("[organisation]", '[gate]\ntls_key = "headgate.toml"\n[organisation]', "[gate]", "gate.tls_certificate", ["because tls_key has one"]),
    ('"Europe/Berlin"', '"Europe/Berln"', "time_zone", "organisation.time_zone", ['did you mean "Europe/Berlin"?']),
    ('"Europe/Berlin"', '"../../etc/passwd"', "time_zone", "organisation.time_zone", ["IANA"]),
    ('"Europe/Berlin"', '"UTC"\nfiscal_month = 13', "fiscal_month", "organisation.fiscal_month", ["from 1 to 12"]),
    # secrets
    ('"env:PRODUCTION_KEY"', '"sk-proj-1234"', "sk-proj", "paths.protected.credential", ["env:NAME", "not shown"]),
    ('"env:PRODUCTION_KEY"', '"env:NOWHERE"', "NOWHERE", "paths.protected.credential", ["no variable NOWHERE"]),
    ('"env:PRODUCTION_KEY"', '"file:nowhere"', "nowhere", "paths.protected.credential", ["No such file"]),
    ('"env:PRODUCTION_KEY"', '"env:SAME_KEY"', "SAME_KEY", "paths.protected.credential", ["the same secret as paths.openai"]),
    # names of other tables
    (
        'paths = ["protected"]',
        'paths = ["openai",\n"protcted"]',
        '"protcted"',
        "workspaces.production.paths[2]",
        ['did you mean "protected"?'],
    ),
    ('paths = ["protected"]', "paths = []", "paths = []", "workspaces.production.paths", ["not empty"]),
    # connections
    (
        '"env:PRODUCTION_KEY"',
        '"env:PRODUCTION_KEY"\nmost_connections = 4\nreserved_production = 4',
        "reserved",
        "paths.protected.reserved_production",
        ["less than most"],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "there", "key", "words"), MISTAKES, ids=[f"{mistake[3]} {mistake[1]!r:.40}" for mistake in MISTAKES]
)
def test_a_mistake_names_its_line_its_key_and_what_to_write(
    tmp_path: Path, old: str, new: str, there: str, key: str, words: list[str]
) -> None:
    text = changed(old, new)
    line = next(
        number for number, line in enumerate(text.split("\n"), 1) if there in line and (there not in old or new in line or there in new)
    )
    told = problems(tmp_path, text)
    match = [problem for problem in told if problem.key == key]
    assert len(match) == 1, [str(problem) for problem in told]
    assert match[0].line == line
    assert str(match[0]).startswith(f"headgate.toml:{line}: {key}: expected ")
    for word in words:
        assert word in str(match[0])
    assert " For example: " in str(match[0])
    assert "sk-" not in str(match[0])


BUDGET_MISTAKES = [
    ('"user:*"', '"usr:*"', "scope", ['did you mean "user"?']),
    ('"user:*"', '"user:"', "scope", ['found "user:"']),
    ('"user:*"', '"user:a,b"', "scope", ["found"]),
    ('"user:*"', '"organisation:acme"', "scope", ['write scope = "organisation"']),
    ('"user:*"', '"workspace:cii"', "scope", ['did you mean "ci"?']),
    ('"user:*"', '"path:opnai"', "scope", ['did you mean "openai"?']),
    ('"user:*"', '"workspace:ci"', "scope", ["as on line 23"]),
    ('"day"', '"dya"', "period", ['did you mean "day"?']),
    ('cap = "5"', 'cap = "5"\ntoken_cap = 5', "cap", ["exactly one of cap", "found both"]),
    ('cap = "5"', 'cap = "5"\nworkspace = "cii"', "workspace", ['did you mean "ci"?']),
    ('cap = "5"', 'cap = "5"\nworkspace = "ci"\nreserve_production = "10%"', "reserve_production", ["only one workspace draws"]),
    ('cap = "5"', 'cap = "5"\nreserve_production = "100%"', "reserve_production", ["less than the cap"]),
    ('cap = "5"', 'cap = "5"\nreserve_production = "5"', "reserve_production", ["less than the cap"]),
    ('cap = "5"', 'token_cap = 50\nreserve_production = "1"', "reserve_production", ["in percent"]),
    ('cap = "5"', 'cap = "5"\nfirst_day = 2026-01-01', "first_day", ['the period is not "term"']),
    ('"day"', '"term"\nfirst_day = 2026-01-01\nlast_day = 2025-12-31', "last_day", ["not before first_day"]),
    ('"day"', '"term"\nfirst_day = "2026-01-01"\nlast_day = 2026-12-31', "first_day", ["without quotes"]),
    ('"day"', '"term"\nfirst_day = 2026-01-01T00:00:00\nlast_day = 2026-12-31', "first_day", ["without quotes"]),
    ('cap = "5"', 'cap = "5"\nweek_starts = "Friday"', "week_starts", ['did you mean "friday"?']),
]


@pytest.mark.parametrize(("old", "new", "key", "words"), BUDGET_MISTAKES)
def test_a_mistake_in_a_budget_names_its_line(tmp_path: Path, old: str, new: str, key: str, words: list[str]) -> None:
    budget = changed(old, new, BUDGET)
    told = [problem for problem in problems(tmp_path, GOOD + budget) if problem.key == f"budget[1].{key}"]
    assert len(told) == 1
    place = next(number for number, line in enumerate(budget.split("\n")) if line.startswith(f"{key} ="))
    assert told[0].line == len(GOOD.split("\n")) + place
    for word in words:
        assert word in str(told[0])


def test_a_budget_without_a_cap_and_a_term_without_days_are_refused(tmp_path: Path) -> None:
    assert "found neither" in str(problems(tmp_path, GOOD + changed('cap = "5"\n', "", BUDGET))[0])
    assert [problem.key for problem in problems(tmp_path, GOOD + changed('"day"', '"term"', BUDGET))] == [
        "budget[1].first_day",
        "budget[1].last_day",
    ]


def test_the_same_cap_twice_is_refused_where_it_stands_the_second_time(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD + BUDGET + BUDGET.replace('"5"', '"6"'))
    assert [problem.key for problem in told] == ["budget[2].scope"]
    assert f"as on line {len(GOOD.split(chr(10))) + 2}" in told[0].found


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = changed('"500"', "-5", changed('name = "Acme"', "name = 5")) + changed('"user:*"', '"usr:*"', BUDGET)
    told = problems(tmp_path, text)
    assert [problem.key for problem in told] == ["organisation.name", "workspaces.development.caps.month", "budget[1].scope"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + "[gate\n", GOOD.count("\n") + 1),
        (GOOD + "x = \n", GOOD.count("\n") + 1),
        (GOOD + "caps.month = 5\n", GOOD.count("\n") + 1),
        (GOOD + '[workspaces.ci]\nmodels = ["x"]\n', GOOD.count("\n") + 1),
        (GOOD + 'x = """\nnever ends\n\n', GOOD.count("\n") + 2),
        (GOOD + "x = " + "[" * 3000, 0),
        ("x = 1" + "0" * 9000, 0),
        ("\x00", 1),
        ("\ufeff[gate]", 1),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    told = problems(tmp_path, text)
    assert len(told) == 1
    assert told[0].line == line
    assert "TOML" in told[0].expected or "levels" in told[0].expected


def test_what_is_not_a_file_of_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b'[gate]\nlisten = "\xff"\n')
    for file, line in ((tmp_path / "missing.toml", 0), (tmp_path, 0), (tmp_path / "bytes.toml", 2)):
        with pytest.raises(ConfigError) as caught:
            load(file, ENVIRONMENT)
        assert caught.value.problems[0].line == line


def test_an_empty_file_asks_for_a_path_and_a_workspace(tmp_path: Path) -> None:
    assert [problem.key for problem in problems(tmp_path, "")] == ["paths", "workspaces"]


@pytest.mark.parametrize("name", list(SECTIONS))
@pytest.mark.parametrize("value", ["5", '"x"', "[1]", "{x = 1}", "[{x = 1}]", "{x = {x = 1}}"])
def test_any_value_for_any_table_is_a_problem_and_never_a_fault(tmp_path: Path, name: str, value: str) -> None:
    told = problems(tmp_path, f"{name} = {value}\n")
    assert any(problem.key.startswith(name) and problem.line == 1 for problem in told)


LINES = GOOD.split("\n")
VALUES = st.sampled_from(["1.5", "-1", "[[]]", '{ a = "b" }', '"\\u0000"', "2026-01-01", "nan", '["x", 1]', "99999999999999999999"])


@given(st.sampled_from([number for number, line in enumerate(LINES) if " = " in line]), VALUES)
def test_a_wrong_value_on_any_line_is_told_on_that_line(tmp_path_factory: pytest.TempPathFactory, number: int, value: str) -> None:
    key, _, _ = LINES[number].partition(" = ")
    text = "\n".join([*LINES[:number], f"{key} = {value}", *LINES[number + 1 :]])
    told = problems(tmp_path_factory.mktemp("config"), text)
    assert {problem.line for problem in told} == {number + 1}


@given(st.sampled_from([number for number, line in enumerate(LINES) if " = " in line]), st.sampled_from(["", "# more\n\n", "\r\n"]))
def test_an_unknown_name_on_any_line_is_told_on_that_line(tmp_path_factory: pytest.TempPathFactory, number: int, before: str) -> None:
    text = before + "\n".join([*LINES[:number], f"x{LINES[number]}", *LINES[number:]])
    told = problems(tmp_path_factory.mktemp("config"), text)
    assert [problem.line for problem in told] == [number + 1 + before.count("\n")]


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com/v1",
        "https://user:pw@api.example.com",
        "https://api.example.com/v1?x=1",
        "https://api.example.com#x",
        "ftp://x",
        "https://",
        "https://x:0/v1",
        "https://x:99999",
        "https://exa mple.com",
        "https://[::1",
        "https://x/../y",
        "api.example.com",
        "https://x/\\r",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "https://x//y",
        "https://x/%2e%2e",
        "https://x?",
        "https://\u00e9.example",
    ],
)
def test_an_address_that_is_not_one_https_origin_is_refused_and_a_credential_in_it_is_not_shown(tmp_path: Path, address: str) -> None:
    text = GOOD.replace("https://api.openai.com/v1", address, 1)
    told = problems(tmp_path, text)
    assert [problem.key for problem in told] == ["paths.openai.base_url"]
    assert "pw" not in str(told[0])


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://api.openai.com/v1/", ("api.openai.com", 443, True, "/v1")),
        ("https://API.example.com:8443", ("api.example.com", 8443, True, "")),
        ("http://127.0.0.1:9000/v1", ("127.0.0.1", 9000, False, "/v1")),
        ("http://[::1]:9000/a/b", ("::1", 9000, False, "/a/b")),
        ("http://localhost", ("localhost", 80, False, "")),
    ],
)
def test_an_origin_is_read_into_its_parts(tmp_path: Path, address: str, origin: tuple[str, int, bool, str]) -> None:
    access = loaded(tmp_path, GOOD.replace("https://api.openai.com/v1", address, 1)).paths["openai"].access
    assert (access.host, access.port, access.tls, access.base) == origin


def test_rehearsed_and_real_paths_do_not_share_a_file(tmp_path: Path) -> None:
    text = changed('credential = "env:OPENAI_API_KEY"', 'credential = "env:OPENAI_API_KEY"\nrehearsal = true')
    assert [problem.key for problem in problems(tmp_path, text)] == ["paths.openai.rehearsal"]
    both = changed('credential = "env:PRODUCTION_KEY"', 'credential = "env:SAME_KEY"\nrehearsal = true', text)
    assert loaded(tmp_path, both).rehearsal


def test_a_path_that_production_shares_keeps_a_quarter_of_its_connections_and_is_told(tmp_path: Path) -> None:
    text = changed('paths = ["protected"]', 'paths = ["openai"]')
    settings = loaded(tmp_path, text)
    assert settings.paths["openai"].reserved_production == 64
    assert settings.paths["protected"].reserved_production == 0
    assert [caution.key for caution in settings.cautions] == ["paths.openai"]
    own = 'credential = "env:OPENAI_API_KEY"\n'
    assert loaded(tmp_path, changed(own, own + "most_connections = 2\n", text)).paths["openai"].reserved_production == 1
    for line in ("reserved_production = 0\n", "most_connections = 1\n"):
        assert "production shares this path" in str(problems(tmp_path, changed(own, own + line, text))[0])


@pytest.mark.parametrize(
    ("old", "new", "key", "word"),
    [
        ("[organisation]", '[gate]\nlisten = "0.0.0.0:8080"\n[organisation]', "gate.listen", "in clear"),
        ('"500"', '"500"\nday_brake = "off"', "workspaces.development", "brakes"),
        ('environment = "ci"', 'environment = "development"', "workspaces", "no workspace for ci"),
    ],
)
def test_what_is_allowed_and_unwise_is_told(tmp_path: Path, old: str, new: str, key: str, word: str) -> None:
    cautions = loaded(tmp_path, changed(old, new)).cautions
    assert [caution.key for caution in cautions] == [key]
    assert word in str(cautions[0])


def test_a_regional_endpoint_without_its_uplift_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("api.openai.com", "eu.api.openai.com", 1)
    assert "region_uplift" in str(loaded(tmp_path, text).cautions[0])
    own = 'credential = "env:OPENAI_API_KEY"\n'
    settings = loaded(tmp_path, changed(own, own + 'region_uplift = "10%"\n', text))
    assert settings.cautions == ()
    assert settings.paths["openai"].uplift_percent == 10


def test_money_is_read_to_the_nano_dollar(tmp_path: Path) -> None:
    for text, nano in (('"0.000000001"', 1), ("7", 7 * NANO_PER_DOLLAR), ('"1,000.5"', 1_000_500_000_000)):
        settings = loaded(tmp_path, changed('"500"', text))
        assert settings.draws["development"].caps[0].amount == nano


def test_tags_and_networks_are_read(tmp_path: Path) -> None:
    text = changed('"500"', '"500"\nrequire = ["cost_centre"]\nnetworks = ["10.0.0.0/8"]')
    workspace = loaded(tmp_path, text).workspaces["development"]
    assert workspace.require == (Dimension.COST_CENTRE,)
    assert [str(network) for network in workspace.networks] == ["10.0.0.0/8"]
