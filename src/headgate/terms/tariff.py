"""The prices of one model on one path from a day on, and what the model can take and give."""

from __future__ import annotations

from enum import Enum

import msgspec

from headgate.names import Instant


class Unit(Enum):
    """What is counted and priced. One row of the price book prices one of these."""

    INPUT = "input"
    CACHED = "cached_input"
    CACHE_WRITE_30M = "cache_write_30m"
    CACHE_WRITE_12H = "cache_write_12h"
    OUTPUT = "output"
    IMAGE_INPUT = "image_input"
    IMAGE_OUTPUT = "image_output"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    WEB_SEARCH = "web_search"
    FILE_SEARCH = "file_search"
    CONTAINER = "container_session"


class Tier(Enum):
    """How fast a provider serves. The tier in the answer is the one that is billed; `fast` is told as `priority`."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    ULTRAFAST = "ultrafast"


class Band(Enum):
    """Which context band: above `Tariff.band_tokens` input tokens the whole request changes band, input and output alike."""

    SHORT = "short"
    LONG = "long"


class Price(msgspec.Struct, frozen=True, gc=False):
    """Whole pico-dollars (10^-12 USD) per `per` units: 10 $/M tokens is `pico=10_000_000, per=1`."""

    pico: int
    per: int = 1


class Tariff(msgspec.Struct, frozen=True):
    """Everything that is needed to bound and to cost a call. Hold and settlement of an attempt use the same one, named by `row`."""

    row: int  # the price book's row id, kept in the ledger
    path: str
    model: str
    prices: dict[tuple[Unit, Tier, Band], Price]
    window_tokens: int  # the most input tokens the provider accepts
    max_output_tokens: int  # the most it can write, reasoning included
    band_tokens: int | None  # None: one band only
    reasoning: bool
    valid_from: Instant
    valid_to: Instant | None
    verified_on: str  # ISO date
    source: str
