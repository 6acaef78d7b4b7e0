"""Every setting there is: its name, how it is read, its default, what it does. Nothing else knows, not even the reference page."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Generic, TypeVar

from headgate.config import kinds
from headgate.config.kinds import Kind
from headgate.paths.path import PathKind
from headgate.policy.workspace import HostedTools, OnDisconnect, StalePrices
from headgate.terms.budget import Period
from headgate.terms.caller import Environment
from headgate.terms.tariff import Tier

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Setting(Generic[T_co]):
    """One setting. `default` is TOML; None means that it may be left out, and `otherwise` says what happens then."""

    key: str  # a dotted key is a key in a table of its own
    kind: Kind[T_co]
    example: str  # the right side of the equals sign, in TOML
    means: str
    default: str | None = None
    needed: bool = False
    otherwise: str = "not set"

    @property
    def line(self) -> str:
        return f"{self.key} = {self.example}"

    def fallback(self) -> T_co | None:
        return None if self.default is None else self.kind.read(tomllib.loads(f"value = {self.default}")["value"])


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file. `header` is what the reference page and the examples show."""

    header: str
    means: str
    settings: tuple[Setting[object], ...]


def needed(key: str, kind: Kind[T], example: str, means: str) -> Setting[T]:
    return Setting(key, kind, example, means, needed=True)


def given(key: str, kind: Kind[T], default: str, means: str, example: str | None = None) -> Setting[T]:
    return Setting(key, kind, example or default, means, default=default)


def maybe(key: str, kind: Kind[T], example: str, means: str, otherwise: str = "not set") -> Setting[T | None]:
    return Setting(key, kind, example, means, otherwise=otherwise)


# [gate]
LISTEN = given("listen", kinds.ADDRESS, '"127.0.0.1:8080"', "Where clients connect.")
DATA = given("data", kinds.FILE, '"data"', "The folder of the ledger. One process at a time writes in it.")
TLS_CERTIFICATE = maybe("tls_certificate", kinds.FILE, '"tls/gate.pem"', "The certificate chain that clients see (PEM).", "plain HTTP")
TLS_KEY = maybe("tls_key", kinds.FILE, '"tls/gate.key"', "The private key of `tls_certificate` (PEM).", "plain HTTP")
GATE_NETWORKS = given(
    "networks", kinds.several(kinds.NETWORK), "[]", "The networks that any key may be used from. Empty: every network.", '["10.0.0.0/8"]'
)
GATE_CONNECTIONS = given("most_connections", kinds.count(1, 100_000), "10000", "How many clients may be connected at once.")
BODY_LIMIT = given("body_limit_mib", kinds.count(1, 512), "32", "The largest JSON body, in MiB. Codex sends images inside JSON.")
DRAIN = given(
    "drain_seconds",
    kinds.count(0, 3600),
    "60",
    "How long open calls may finish when the gate stops, and how long an answer is read on after its client hung up.",
)
GATE = (LISTEN, DATA, TLS_CERTIFICATE, TLS_KEY, GATE_NETWORKS, GATE_CONNECTIONS, BODY_LIMIT, DRAIN)

# [house]
HOUSE_LISTEN = given("listen", kinds.ADDRESS, '"127.0.0.1:8081"', "Where the console and the admin API listen.")
HOUSE = (HOUSE_LISTEN,)

# caps, in [organisation] and [workspaces.NAME]
CAP_PERIODS = tuple(period for period in Period if period is not Period.TERM)
CAPS = {
    period: maybe(f"caps.{period.value}", kinds.DOLLARS, '"500"', f"The most money in one {period.value}. Never passed.", "no cap")
    for period in CAP_PERIODS
}
TOKEN_CAPS = {
    period: maybe(
        f"token_caps.{period.value}", kinds.TOKENS, "20_000_000", f"The most tokens, in and out, in one {period.value}.", "no cap"
    )
    for period in CAP_PERIODS
}
ALL_CAPS = (*CAPS.values(), *TOKEN_CAPS.values())
RESERVE_MEANS = "Production's share of a cap that several environments draw on: the others stop that much earlier."

# [organisation]
ORGANISATION_NAME = given("name", kinds.text(100), '"My organisation"', "The name on reports.", '"Acme"')
TIME_ZONE = given("time_zone", kinds.ZONE, '"UTC"', "Where days, weeks and months begin and end.", '"Europe/Berlin"')
FISCAL_MONTH = given("fiscal_month", kinds.count(1, 12), "1", "The month in which the fiscal year begins, for quarters and years.")
ORGANISATION_RESERVE = maybe("reserve_production", kinds.RESERVE, '"60%"', RESERVE_MEANS, "no share")
ORGANISATION = (ORGANISATION_NAME, TIME_ZONE, FISCAL_MONTH, *ALL_CAPS, ORGANISATION_RESERVE)

# [paths.NAME]
KIND = given("kind", kinds.choice(PathKind), '"openai"', "How requests are addressed and signed.")
BASE_URL = needed("base_url", kinds.ORIGIN, '"https://api.openai.com/v1"', "Where requests are sent. No other host is ever contacted.")
CREDENTIAL = needed("credential", kinds.SECRET, '"env:OPENAI_API_KEY"', "Headgate's own credential at the provider.")
OPENAI_ORGANIZATION = maybe("openai_organization", kinds.HEADER, '"org-abc"', "Sent as `openai-organization`.", "not sent")
OPENAI_PROJECT = maybe("openai_project", kinds.HEADER, '"proj_abc"', "Sent as `openai-project`.", "not sent")
PRICES = given("prices", kinds.NAME, '"openai"', "Which price sheet holds for this path.")
REGION_UPLIFT = given("region_uplift", kinds.PERCENT, '"0%"', "What a regional endpoint adds to every price.", '"10%"')
COMMITMENT = maybe("commitment", kinds.NAME, '"annual"', "The commitment that calls on this path draw on.", "none")
CA_FILE = maybe("ca_file", kinds.FILE, '"tls/ca.pem"', "Trust these certificate authorities as well (PEM).", "the system's")
CLIENT_CERTIFICATE = maybe(
    "client_certificate", kinds.FILE, '"tls/client.pem"', "The certificate that proves the gate (mTLS, PEM).", "no mTLS"
)
CLIENT_KEY = maybe("client_key", kinds.FILE, '"tls/client.key"', "The private key of `client_certificate` (PEM).", "no mTLS")
REHEARSAL = given("rehearsal", kinds.YES_NO, "false", "The path leads to a rehearsal. A ledger holds either rehearsed or real calls.")
PATH_CONNECTIONS = given("most_connections", kinds.count(1, 10_000), "256", "How many calls may be open on this path at once.")
RESERVED = maybe(
    "reserved_production",
    kinds.count(0, 10_000),
    "64",
    "How many of these connections only production may use.",
    "a quarter where production and others share the path, else 0",
)
CONNECT = given("connect_seconds", kinds.count(1, 120), "5", "How long a connection may take to open.")
HEAD = given("head_seconds", kinds.count(1, 7200), "600", "How long the provider may think before its answer begins.")
IDLE = given("idle_seconds", kinds.count(1, 7200), "300", "How long an answer may pause.")
PATHS = (
    *(KIND, BASE_URL, CREDENTIAL, OPENAI_ORGANIZATION, OPENAI_PROJECT, PRICES, REGION_UPLIFT, COMMITMENT, CA_FILE, CLIENT_CERTIFICATE),
    *(CLIENT_KEY, REHEARSAL, PATH_CONNECTIONS, RESERVED, CONNECT, HEAD, IDLE),
)

# [workspaces.NAME]
ENVIRONMENT = needed("environment", kinds.choice(Environment), '"development"', "Production is protected from the others.")
WORKSPACE_PATHS = needed("paths", kinds.several(kinds.NAME, 1), '["openai"]', "The paths its calls may take, the preferred one first.")
MODELS = needed(
    "models", kinds.several(kinds.text(100), 1), '["gpt-5.5", "gpt-5.4-mini"]', 'The models it may use; `["*"]`: every priced one.'
)
DAY_BRAKE = given("day_brake", kinds.BRAKE, '"15%"', "The most money in one day, as a part of the month's cap.")
WEEK_BRAKE = given("week_brake", kinds.BRAKE, '"30%"', "The most money in one week, as a part of the month's cap.")
WEEK_STARTS = given(
    "week_starts", kinds.WEEKDAY, '"friday"', "The first day of a week. From Friday on, no weekend has two weeks' money.", '"monday"'
)
TIERS = given(
    "tiers", kinds.several(kinds.choice(Tier), 1), '["standard"]', "The service tiers it may ask for.", '["standard", "flex", "priority"]'
)
OUTPUT = maybe(
    "output_tokens", kinds.count(16, 10_000_000), "32_000", "Output tokens held when the client sets no limit.", "what the model can write"
)
MOST_OUTPUT = maybe(
    "most_output_tokens", kinds.count(16, 10_000_000), "64_000", "A client's own limit is lowered to this.", "the model's limit"
)
LEAST_OUTPUT = given("least_output_tokens", kinds.count(16, 10_000_000), "4096", "Near a cap, an answer is never shortened below this.")
LEAST_REASONING = given(
    "least_reasoning_tokens", kinds.count(16, 10_000_000), "8192", "The same for models that reason before they answer."
)
WAIT = given("wait_ms", kinds.count(0, 60_000), "5000", "How long a call waits for open calls to settle before it is shortened or refused.")
ON_DISCONNECT = given(
    "on_disconnect", kinds.choice(OnDisconnect), '"drain"', "When a client hangs up: read on for the true count, or stop paying."
)
HOSTED_TOOLS = given(
    "hosted_tools",
    kinds.choice(HostedTools),
    '"drop_for_codex"',
    "Tools that the provider runs and bills: refused, taken out of Codex's requests and refused elsewhere, or allowed.",
)
WEB_SEARCH_CALLS = given("web_search_calls", kinds.count(0, 1000), "0", "The most hosted tool calls in one request.", "10")
REQUIRE = given("require", kinds.several(kinds.TAG), "[]", "Tags without which a call is refused.", '["cost_centre", "repository"]')
NETWORKS = given(
    "networks", kinds.several(kinds.NETWORK), "[]", "The networks its keys may be used from. Empty: every network.", '["10.20.0.0/16"]'
)
STALE = maybe(
    "price_staleness",
    kinds.choice(StalePrices),
    '"stop"',
    "What a price does that nobody verified for 90 days.",
    '"stop" in production, else "warn"',
)
WORKSPACES = (
    *(ENVIRONMENT, WORKSPACE_PATHS, MODELS, *ALL_CAPS, DAY_BRAKE, WEEK_BRAKE, WEEK_STARTS, TIERS, OUTPUT, MOST_OUTPUT, LEAST_OUTPUT),
    *(LEAST_REASONING, WAIT, ON_DISCONNECT, HOSTED_TOOLS, WEB_SEARCH_CALLS, REQUIRE, NETWORKS, STALE),
)

# [[budget]]
BUDGET_SCOPE = needed("scope", kinds.SCOPE, '"user:*"', "What is capped; `*` gives each value a budget of its own.")
BUDGET_PERIOD = needed("period", kinds.choice(Period), '"month"', "How long one cap lasts. A term runs from a first to a last day.")
BUDGET_CAP = maybe("cap", kinds.DOLLARS, '"50"', "The cap in dollars; one of `cap` and `token_cap`.", "no cap in money")
BUDGET_TOKENS = maybe("token_cap", kinds.TOKENS, "5_000_000", "The cap in tokens, input and output together.", "no cap in tokens")
BUDGET_WORKSPACE = maybe("workspace", kinds.NAME, '"ci"', "Only calls of this workspace count.", "calls of every workspace")
BUDGET_RESERVE = maybe("reserve_production", kinds.RESERVE, '"60%"', RESERVE_MEANS, "no share")
BUDGET_ZONE = maybe("time_zone", kinds.ZONE, '"Europe/Berlin"', "Where its periods begin and end.", "the organisation's")
BUDGET_WEEK = given("week_starts", kinds.WEEKDAY, '"friday"', "The first day of its weeks.", '"monday"')
BUDGET_FISCAL = maybe("fiscal_month", kinds.count(1, 12), "4", "The month in which its fiscal year begins.", "the organisation's")
BUDGET_FIRST = maybe("first_day", kinds.DAY, "2026-10-01", "The first day of a term.", 'only with period = "term"')
BUDGET_LAST = maybe("last_day", kinds.DAY, "2027-09-30", "The last day of a term.", 'only with period = "term"')
BUDGET = (
    *(BUDGET_SCOPE, BUDGET_PERIOD, BUDGET_CAP, BUDGET_TOKENS, BUDGET_WORKSPACE, BUDGET_RESERVE, BUDGET_ZONE, BUDGET_WEEK, BUDGET_FISCAL),
    *(BUDGET_FIRST, BUDGET_LAST),
)

GATE_SECTION = Section("[gate]", "The data plane: what clients talk to.", GATE)
HOUSE_SECTION = Section("[house]", "The console and the admin API.", HOUSE)
ORGANISATION_SECTION = Section("[organisation]", "What holds for everyone.", ORGANISATION)
PATHS_SECTION = Section("[paths.NAME]", "One way to a model: where it is sent, with which credential, at which prices.", PATHS)
WORKSPACES_SECTION = Section("[workspaces.NAME]", "Who draws together: its paths, models and caps. At least one cap in money.", WORKSPACES)
BUDGET_SECTION = Section("[[budget]]", "One more cap, at any level. As many as you like.", BUDGET)

# By the name of the table in the file.
SECTIONS = {
    "gate": GATE_SECTION,
    "house": HOUSE_SECTION,
    "organisation": ORGANISATION_SECTION,
    "paths": PATHS_SECTION,
    "workspaces": WORKSPACES_SECTION,
    "budget": BUDGET_SECTION,
}
