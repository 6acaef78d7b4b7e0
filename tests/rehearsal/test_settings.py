from __future__ import annotations

from typing import Any

import pytest

from headgate.rehearsal.settings import MEAN, Settings, changed


def test_mean_is_one_token_per_byte_full_output_and_bills_that_survive_a_disconnect() -> None:
    mean = changed(Settings(), MEAN)
    assert isinstance(mean, Settings)
    assert (mean.bytes_per_token, mean.full_output, mean.bill_after_disconnect) == (1, True, True)


@pytest.mark.parametrize(
    "change",
    [
        {"speed": 1},
        {"bytes_per_token": 0},
        {"full_output": 1},
        {"event_ms": True},
        {"event_ms": 1.5},
        {"auto_tier": "batch"},
        {"event_ms": -1},
    ],
)
def test_a_setting_that_is_unknown_or_absurd_is_refused_with_a_sentence(change: dict[str, Any]) -> None:
    assert isinstance(changed(Settings(), change), str)
