"""Doubts that can be cleared by asking: a response that the provider keeps is fetched by its id, and its usage settles the hold.

A doubt is never cleared by time here, and an answer that is still under way, absent or unreadable leaves it as it is.
"""

from __future__ import annotations

import asyncio

from headgate.gateway.gate import Gate
from headgate.gateway.relay import ENDINGS, MOST_JSON_BYTES
from headgate.gateway.upstream import Cut, NotSent, Stalled
from headgate.names import Instant, show_id
from headgate.paths.direct import sending
from headgate.pricing.bill import bill
from headgate.store import rows
from headgate.store.rows import Suspect
from headgate.store.sqlite import Database
from headgate.terms.ending import Charge, Outcome
from headgate.terms.order import Settlement
from headgate.terms.tariff import Tier
from headgate.wire.api import Api
from headgate.wire.meter import read_answer

MOST_AT_ONCE = 20


async def resolve_for_ever(gate: Gate, reader: Database, every_s: int) -> None:
    """Look at what is in doubt every so often; ends when it is cancelled."""
    asked: dict[int, int] = {}
    while True:
        await asyncio.sleep(every_s)
        suspects = [doubt for doubt in map(rows.suspect, reader.run("suspects")) if doubt.stored and doubt.response_id]
        # The least often asked first, so that a few that never resolve do not keep the others waiting.
        for doubt in sorted(suspects, key=lambda doubt: asked.get(doubt.attempt, 0))[:MOST_AT_ONCE]:
            asked[doubt.attempt] = asked.get(doubt.attempt, 0) + 1
            settlement = await fetch(gate, doubt)
            if settlement is not None:
                await gate.desk.settle(settlement)
                gate.journal.say("resolved", request=show_id(doubt.attempt), charged_nano=settlement.nano)
        asked = {attempt: times for attempt, times in asked.items() if any(doubt.attempt == attempt for doubt in suspects)}


async def fetch(gate: Gate, doubt: Suspect) -> Settlement | None:
    """The settlement of a doubt by the provider's own record of it; None when that does not say."""
    way = gate.world.ways.get(doubt.path)
    tariff = gate.world.book.by_row(doubt.path, doubt.tariff)
    if way is None or tariff is None:
        return None
    try:
        out = sending(way.sender, "GET", f"/v1/responses/{doubt.response_id}", [], b"", show_id(doubt.attempt))
        receiving = await way.upstream.send(out.head, out.body, False)
        if way.answered_by_a_rehearsal(receiving.headers):
            receiving.abort()
            return None
        body = await receiving.read(MOST_JSON_BYTES)
    except (NotSent, Cut, Stalled, ValueError):
        return None
    seen = read_answer(Api.RESPONSES, receiving.status, body)
    if receiving.status != 200 or seen.terminal is None or seen.usage is None or seen.response_id != doubt.response_id:
        return None
    outcome = Outcome(ENDINGS[seen.terminal], seen.usage, receiving.status, seen.response_id, seen.model, seen.tier)
    nano = bill(gate.world.book, tariff, Tier.STANDARD, outcome, Instant(gate.wall_us()))
    if nano is None:
        return None
    tokens = seen.usage.input_tokens + seen.usage.output_tokens
    return Settlement(
        doubt.attempt, Charge.ACTUAL, outcome, nano, tokens, doubt.response_id, (doubt.workspace, doubt.path), stored=True, how="fetched"
    )
