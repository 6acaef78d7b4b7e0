"""Keys: issued, rotated with an overlap, revoked. The key itself is in the answer once and nowhere else."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

import msgspec

from headgate.control.command import IssueKey, RevokeKey, RotateKey, Wrong
from headgate.names import MICROSECONDS, Instant, KeyId
from headgate.policy.attribution import TAGS, is_fact
from headgate.policy.keys import SECRET_BYTES, digest, make_key, show_key
from headgate.policy.network import read_network
from headgate.store import rows
from headgate.store.ledger import Ledger
from headgate.store.sqlite import Row, Value
from headgate.terms.caller import Caller, Dimension, Environment

DAY_US = 86_400 * MICROSECONDS
MOST_DAYS = 90  # the greatest age of a key; a longer one is rotated, not stretched
MOST_OVERLAP_HOURS = 24 * 14
WARN_DAYS = 14  # before its end a key is told to end soon

_DATED = re.compile(r"-[0-9]{4}-[0-9]{2}-[0-9]{2}$")  # a dated snapshot has the prices of its family


class KeyBody(msgspec.Struct, frozen=True):
    """What a key is bound to, as the row keeps it."""

    facts: dict[str, str] = {}
    models: list[str] | None = None
    networks: list[str] = []


class KeyRow(msgspec.Struct, frozen=True):
    """A key as people may see it. Instants are microseconds UTC."""

    id: str
    shown: str
    label: str
    workspace: str
    body: KeyBody
    issued_us: int
    expires_us: int
    revoked_us: int | None
    rotated_to: str | None
    issued_by: str

    def state(self, now: int) -> str:
        if self.revoked_us is not None:
            return "revoked"
        if self.expires_us <= now:
            return "expired"
        return "ends soon" if self.expires_us - now < WARN_DAYS * DAY_US else "active"


class Issued(msgspec.Struct, frozen=True):
    """The only answer that holds a key."""

    id: str
    key: str
    workspace: str
    expires_us: int
    replaces: str | None = None
    replaced_ends_us: int | None = None


_body = msgspec.json.Decoder(KeyBody)


def issue(ledger: Ledger, command: IssueKey, workspaces: Sequence[str]) -> Issued:
    """A new key. No key is issued in a workspace that the configuration, and so a hard cap, does not know."""
    _check(command.workspace, workspaces, command.days)
    if not is_fact(command.label):
        raise Wrong("a label is 1 to 200 plain characters, for example --label payments-team")
    tags = {tag.value for tag in TAGS}
    for name, value in command.facts.items():
        if name not in tags or not is_fact(value):
            raise Wrong(
                f"{name}={value!r} is not a fact a key can prove; write one of {', '.join(sorted(tags))} and 1 to 200 plain characters"
            )
    for network in command.networks:
        try:
            read_network(network)
        except ValueError as error:
            raise Wrong(str(error)) from error
    priced = {rows.text(row[0]) for row in ledger.database.run("priced_models")} if command.models else set[str]()
    for model in command.models or ():
        if model not in priced and _DATED.sub("", model) not in priced:
            raise Wrong(f"the model {model!r} has no price, so a key for it could call nothing; `headgate price list` shows what has one")
    body = KeyBody(dict(sorted(command.facts.items())), command.models, command.networks)
    return _add(ledger, command.workspace, command.label, body, command.days, command.actor)


def rotate(ledger: Ledger, command: RotateKey, workspaces: Sequence[str]) -> Issued:
    """A new key of the same scope; the old one goes on for the overlap and then ends."""
    if not 0 <= command.overlap_hours <= MOST_OVERLAP_HOURS:
        raise Wrong(f"an overlap is 0 to {MOST_OVERLAP_HOURS} hours, not {command.overlap_hours}")
    old = _find(ledger, command.key)
    if old.revoked_us is not None:
        raise Wrong(f"key {old.id} was revoked; issue a new one instead of rotating it")
    if old.rotated_to is not None:
        raise Wrong(f"key {old.id} was rotated to {old.rotated_to} before; rotate that one")
    if old.expires_us <= ledger.now:
        raise Wrong(f"key {old.id} has expired, so nobody depends on it any more; issue a new one instead of rotating it")
    _check(old.workspace, workspaces, command.days)
    fresh = _add(ledger, old.workspace, old.label, old.body, command.days, command.actor)
    ends_us = min(ledger.now + command.overlap_hours * 3600 * MICROSECONDS, old.expires_us)
    ledger.database.run("shorten_key", (ends_us, fresh.id, old.id))
    ledger.record("key", {"do": "rotate", "key": old.id, "to": fresh.id, "actor": command.actor, "ends": ends_us})
    return msgspec.structs.replace(fresh, replaces=old.id, replaced_ends_us=ends_us)


def revoke(ledger: Ledger, command: RevokeKey) -> KeyRow:
    """From the commit on nobody gets in with it."""
    old = _find(ledger, command.key)
    if not command.reason.strip():
        raise Wrong("say why with --reason; it is kept on the record")
    if old.revoked_us is None:
        ledger.database.run("revoke_key", (ledger.now, old.id))
        ledger.record("key", {"do": "revoke", "key": old.id, "actor": command.actor, "reason": command.reason})
    return _find(ledger, old.id)


def read_key(row: Row) -> KeyRow:
    return KeyRow(
        rows.text(row[0]), rows.text(row[2]), rows.text(row[3]), rows.text(row[4]), _body.decode(rows.text(row[5])), rows.whole(row[6]),
        rows.whole(row[7]), None if row[8] is None else rows.whole(row[8]), None if row[9] is None else rows.text(row[9]),
        rows.text(row[10]),
    )  # fmt: skip


def read_callers(found: Sequence[Row], environments: dict[str, Environment]) -> dict[bytes, Caller]:
    """Who gets in, by the digest of the key. A key of a workspace that is no longer configured is nobody's."""
    callers: dict[bytes, Caller] = {}
    for row in found:
        key = read_key(row)
        environment = environments.get(key.workspace)
        if key.revoked_us is not None or environment is None:
            continue
        callers[rows.blob(row[1])] = Caller(
            key=KeyId(key.id),
            workspace=key.workspace,
            environment=environment,
            facts=tuple((Dimension(name), value) for name, value in key.body.facts.items()),
            models=None if key.body.models is None else frozenset(key.body.models),
            networks=tuple(read_network(network) for network in key.body.networks),
            expires_us=Instant(key.expires_us),
        )
    return callers


def _check(workspace: str, workspaces: Sequence[str], days: int) -> None:
    if workspace not in workspaces:
        raise Wrong(f"there is no workspace {workspace!r}; headgate.toml has: {', '.join(workspaces)}")
    if not 1 <= days <= MOST_DAYS:
        raise Wrong(f"a key lives 1 to {MOST_DAYS} days, not {days}; rotate it in time instead")


def _find(ledger: Ledger, name: str) -> KeyRow:
    row = ledger.database.first("key", (name,))
    if row is None:
        raise Wrong(f"there is no key {name!r}; `headgate key list` shows their ids")
    return read_key(row)


def _add(ledger: Ledger, workspace: str, label: str, body: KeyBody, days: int, actor: str) -> Issued:
    key = make_key(secrets.token_bytes(SECRET_BYTES))
    name = f"key_{secrets.token_hex(6)}"
    expires_us = ledger.now + days * DAY_US
    bound_to = msgspec.json.encode(body, order="sorted").decode()
    values: tuple[Value, ...] = (name, digest(key), show_key(key), label, workspace, bound_to, ledger.now, expires_us, actor)
    ledger.database.run("add_key", values)
    ledger.record("key", {"do": "issue", "key": name, "workspace": workspace, "actor": actor, "ends": expires_us})
    return Issued(name, key, workspace, expires_us)
