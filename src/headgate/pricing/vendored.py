"""The public price table that ships with Headgate: its files, where they come from, and the digests that pin them.

This room reads no disk. Whoever installs the table reads `data/<file>` beside this module and hands the bytes to `read_vendored`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from headgate.pricing.entry import Sheet
from headgate.pricing.schema import Problem
from headgate.pricing.sheet import read_sheet

# `litellm/model_prices_and_context_window_backup.json` of the litellm 1.109.1 wheel, MIT, Copyright (c) 2023 Berri AI (see NOTICE).
SOURCE = "litellm 1.109.1, model_prices_and_context_window_backup.json"
SOURCE_SHA256 = "8f8060d8ce7a40c91b995c74d6a27657543d49e3c1c53430dabd556f244392c6"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file of the `data` folder and the SHA-256 of its bytes."""

    file: str
    sha256: str


# The source's rows of OpenAI text models, digits untouched; kept so that anyone can convert it again and compare.
EXTRACT = Pinned("litellm-openai-extract.json", "a08a368b50dd7d826f374968b1ec06691697e90e4b4764b34393c74c563efb50")

# The extract as a strict, dated price sheet.
OPENAI_PUBLIC = Pinned("openai-public.json", "db7bdc08c0bec6cbfb4c04c3fa575f95f3e5e3695af9282e762a4dc0e0cc7a40")


def read_vendored(pinned: Pinned, data: bytes) -> Sheet | list[Problem]:
    """The sheet of a vendored file, when its bytes are the ones that were reviewed."""
    found = sha256(data).hexdigest()
    if found != pinned.sha256:
        return [Problem(pinned.file, f"bytes with SHA-256 {found}", f"the vendored file, SHA-256 {pinned.sha256}", "reinstall Headgate")]
    return read_sheet(data)
