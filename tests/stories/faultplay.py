"""The table of faults as values: how each is asked for, where it is played, and what then happened in the words of the table."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import ssl
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.stories.callers import MODEL, Heard
from tests.stories.gatehouse import workspace
from tests.stories.openbook import Entry

APIS, CHAT, RESPONSES = ("chat", "responses"), "chat", "responses"
TARGETS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses"}


@dataclass(frozen=True)
class Variant:
    api: str
    stream: bool
    legs: int

    @property
    def name(self) -> str:
        return f"{self.api}/{'stream' if self.stream else 'json'}"


VARIANTS = [Variant(api, stream, legs) for api in APIS for stream in (False, True) for legs in (1, 3)]


@dataclass(frozen=True)
class Expected:
    """What the table says of one variant."""

    ending: str
    charge: str
    client: str


@dataclass(frozen=True)
class Fault:
    row: dict[str, Any]

    @property
    def name(self) -> str:
        return self.row["name"]

    @property
    def play(self) -> str:
        return self.row.get("play", self.name)

    def means_nothing_in(self, variant: Variant) -> bool:
        return not {variant.name, *variant.name.split("/")}.isdisjoint(self.row.get("na", {}))

    def variants(self) -> list[Variant]:
        return [variant for variant in VARIANTS if not self.means_nothing_in(variant)]

    def expected(self, variant: Variant) -> Expected:
        row = {**self.row, **self.row.get("but", {}).get(variant.name, {})}
        return Expected(row["ending"], row["charge"], row["stream" if variant.stream else "json"])

    @property
    def closes(self) -> bool:
        return self.row["charge"] in ("breach", "overrun")


def read_faults(root: Path) -> list[Fault]:
    return [Fault(row) for row in tomllib.loads((root / "tests/faults.toml").read_text(encoding="utf-8"))["fault"]]


def request(fault: Fault, variant: Variant, marked: bool = True) -> dict[str, Any]:
    """The body of the call. A text that is long enough to be cut in the middle."""
    fields = fault.row.get("fields", {})
    text = ("Explain it. " * (fault.row.get("input_bytes", 24) // 12 + 1))[: fault.row.get("input_bytes", 24)]
    body: dict[str, Any] = {"model": fault.row.get("model", MODEL), "stream": variant.stream}
    metadata = {"rehearsal_text_tokens": "60"}
    if marked:
        metadata["rehearsal_fault"] = fault.play
        if "at" in fault.row:
            metadata["rehearsal_fault_at"] = str(fault.row["at"])
    body["metadata"] = metadata
    if variant.api == RESPONSES:
        body["input"] = text
        if "web_searches" in fields:
            body |= {"tools": [{"type": "web_search"}], "max_tool_calls": fields["web_searches"]}
    else:
        body["messages"] = [{"role": "user", "content": text}]
    if "max_output" in fields:
        body["max_output_tokens" if variant.api == RESPONSES else "max_completion_tokens"] = fields["max_output"]
    return body


# -- what a client heard -----------------------------------------------------------------------------------------------------------------

_TERMINAL = ("response.completed", "response.incomplete", "response.failed")
_KINDS = ("response", "chat.completion")


def heard_as(heard: Heard, variant: Variant) -> str:
    """The answer in the words of the table; raises when it is not what an OpenAI client can read."""
    assert heard.whole, f"the answer broke off: {heard.body[-200:]!r}"
    if heard.status != 200:
        return f"{heard.status} {_code(heard.error)}"
    if not variant.stream:
        assert heard.json["object"] in _KINDS
        return "200"
    assert heard.headers["content-type"].startswith("text/event-stream")
    return _stream_heard_as(heard, variant)


def _stream_heard_as(heard: Heard, variant: Variant) -> str:
    text = heard.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert text.endswith(b"\n\n"), "the last event is whole"
    last = text.rstrip(b"\n").rpartition(b"\n\n")[2]
    data = b"\n".join(line.removeprefix(b"data:").strip() for line in last.split(b"\n") if line.startswith(b"data:"))
    if data == b"[DONE]":
        assert variant.api == CHAT
        return "200"
    event = json.loads(data)
    if "error" in event or event.get("type") == "error":
        return f"event {_code(event.get('error') or event)}"
    assert event["type"] in _TERMINAL, f"it ends with {event}"
    return "200"


def _code(error: dict[str, Any]) -> str:
    assert isinstance(error["message"], str) and error["message"] and {"code", "param"} <= error.keys()
    return error.get("policy_code", "passed")


def charge_of(entry: Entry) -> str:
    if entry.state == "VOIDED":
        return "void"
    if entry.state == "POSTED":
        return "overrun" if any(kind == "OVERRUN" for _, kind, _ in entry.entries) else "breach" if _above(entry) else "actual"
    return entry.state.lower()


def _above(entry: Entry) -> bool:
    return entry.posted_nano > entry.held_nano


def differences(expected: Expected, variant: Variant, entry: Entry, client: str, billed: int) -> list[str]:
    """Everything in which what happened is not what the table says. `billed` is what the provider billed (nano-dollars)."""
    found = [
        f"{what}: {was!r} and not {should!r}"
        for what, was, should in (
            ("ending", entry.ending, expected.ending),
            ("charge", charge_of(entry), expected.charge),
            ("client", client, expected.client),
            ("legs", len(entry.legs), variant.legs),
            ("held on each leg", {amount for _, amount in entry.legs}, {entry.held_nano}),
        )
        if was != should
    ]
    posted: dict[int, int] = dict.fromkeys((budget for budget, _ in entry.legs), 0) if entry.entries else {}
    for budget, _, amount in entry.entries:
        posted[budget] += amount
    if expected.charge in ("actual", "breach", "overrun"):
        if not billed:
            found.append("the provider billed nothing, so nothing was proved")
        if entry.posted_nano != billed or set(posted.values()) != {billed}:
            found.append(f"posted {entry.posted_nano} as {posted}, billed {billed}")
    elif posted or entry.posted_nano:
        found.append(f"posted {entry.posted_nano} as {posted}")
    if expected.charge == "void" and billed:
        found.append(f"nothing is charged, and the provider billed {billed}")
    if not found and expected.charge == "suspect" and billed > entry.held_nano:
        found.append(f"held {entry.held_nano}, billed {billed}")
    return found


# -- where faults are played -------------------------------------------------------------------------------------------------------------

# Paths of the gate that lead to trouble, each for the script of the same name.
TROUBLE = (
    "name_unresolvable",
    "connection_refused",
    "connection_unanswered",
    "certificate_of_a_stranger",
    "certificate_for_another_name",
    "certificate_expired",
    "pool_exhausted",
)


def path_of(variant: Variant) -> str:
    """What closes a shape is played on paths of its own: the shape knows the API, but neither the stream nor the legs."""
    return f"closes-{int(variant.stream)}-{variant.legs}"


MOST_PLAYS = 2  # of a fault that closes something, in one gate


def place_of(fault: Fault, variant: Variant, number: int, play: int = 0) -> str:
    """The workspace that this variant of a fault is played in. What runs over a budget has one for each time it is played."""
    if fault.closes:
        return f"closes-{number}-{play}-{VARIANTS.index(variant)}"
    if fault.name in TROUBLE:
        return f"{fault.name.replace('_', '-')}-{variant.legs}"
    return "one" if variant.legs == 1 else "three"


def settings(base_url: str, faults: list[Fault], trouble: dict[str, str]) -> tuple[str, str]:
    """(workspaces, paths) as TOML. `trouble` are the lines of the paths that lead to trouble, by name."""
    tools = {"hosted_tools": '"allow"', "web_search_calls": "3"}
    workspaces = [workspace("one", "1000000", **tools), workspace("three", "1000000", legs=3, **tools)]
    paths: list[str] = []
    for name, lines in trouble.items():
        plain = name.replace("_", "-")
        paths.append(
            f'[paths.{plain}]\ncredential = "env:PROVIDER_KEY"\nrehearsal = true\nconnect_seconds = 1\nhead_seconds = 2\n{lines}\n'
        )
        workspaces += [workspace(f"{plain}-{legs}", "1000000", legs=legs, paths=f'["{plain}"]') for legs in (1, 3)]
    for name in {path_of(variant) for variant in VARIANTS}:
        paths.append(f'[paths.{name}]\nbase_url = "{base_url}"\ncredential = "env:PROVIDER_KEY"\nrehearsal = true\n')
    for number, fault in enumerate(faults):
        month = "8" if fault.row["charge"] == "overrun" else "1000"
        workspaces += [
            workspace(place_of(fault, variant, number, play), month, legs=variant.legs, paths=f'["{path_of(variant)}"]', **tools)
            for variant in fault.variants()
            for play in range(MOST_PLAYS if fault.closes else 0)
        ]
    return "".join(workspaces), "".join(paths)


@contextlib.contextmanager
def trouble(folder: Path, base_url: str) -> Iterator[dict[str, str]]:
    """Ports that refuse, that do not answer, and that show certificates nobody should believe."""
    with contextlib.ExitStack() as stack:
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refuses, and nobody else can take it
        full = stack.enter_context(_full())
        authority = Authority(folder)
        names = {
            "certificate_of_a_stranger": (None, "localhost", False),
            "certificate_for_another_name": (authority, "elsewhere.invalid", False),
            "certificate_expired": (authority, "localhost", True),
        }
        lines = {
            "name_unresolvable": 'base_url = "https://nobody.invalid/v1"',
            "connection_refused": f'base_url = "http://127.0.0.1:{closed.getsockname()[1]}/v1"',
            "connection_unanswered": f'base_url = "http://127.0.0.1:{full}/v1"',
            "pool_exhausted": f'base_url = "{base_url}"\nmost_connections = 1',
        }
        for name, (signer, host, expired) in names.items():
            port = stack.enter_context(_shows((signer or Authority(folder)).certify(host, expired)))
            lines[name] = f'base_url = "https://localhost:{port}/v1"\nca_file = "{authority.file}"'
        yield lines


@contextlib.contextmanager
def _full() -> Iterator[int]:
    """A port whose queue of connections is full, so that the kernel answers no more of them."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


class Authority:
    """A certificate authority of this test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of a story")])
        made = self._write(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), None, False)
        self.file = folder / f"authority-{id(self)}.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def certify(self, host: str, expired: bool) -> ssl.SSLContext:
        """A server's side of TLS with a certificate for this host."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._write(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key, x509.BasicConstraints(False, None), host, expired
        )
        file = self._folder / f"server-{host}-{expired}-{id(self)}.pem"
        plain = serialization.NoEncryption()
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + made.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _write(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, may: x509.BasicConstraints, host: str | None, expired: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        ends = now - datetime.timedelta(days=1) if expired else now + datetime.timedelta(days=1)
        names: list[x509.GeneralName] = [x509.DNSName(host or "authority.invalid")]
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(ends)
            .add_extension(may, critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


@contextlib.contextmanager
def _shows(context: ssl.SSLContext) -> Iterator[int]:
    """A TLS server that only shakes hands; whoever gets through hears nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.settimeout(5)
                with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
