from __future__ import annotations

import pytest

from headgate.policy.network import read_network, refuse_network, within
from headgate.refusal import Reason

OFFICE = read_network("10.20.0.0/16")
ONE = read_network("2001:db8::7")


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("10.20.3.4", True),
        ("10.21.0.1", False),
        ("::ffff:10.20.3.4", True),  # how a listener for both families sees an IPv4 caller
        ("::ffff:10.21.3.4", False),
        ("2001:db8::7", True),
        ("2001:db8::7%eth0", True),
        ("2001:db8::8", False),
        ("", False),
        ("unix", False),
        ("10.20.3.4, 10.0.0.1", False),
        ("010.020.003.004", False),
    ],
)
def test_an_address_is_inside_its_networks_and_no_other(peer: str, inside: bool) -> None:
    assert within(peer, (OFFICE, ONE)) is inside


def test_without_a_list_a_key_may_be_used_from_anywhere() -> None:
    assert refuse_network("198.51.100.1", (), ()) is None


def test_every_list_narrows_and_none_widens() -> None:
    assert refuse_network("10.20.1.1", (), (OFFICE,), (read_network("10.20.1.0/24"),)) is None
    refusal = refuse_network("10.20.2.1", (), (OFFICE,), (read_network("10.20.1.0/24"),))
    assert refusal is not None
    assert refusal.reason is Reason.NETWORK_NOT_ALLOWED
    assert "10.20.2.1" in refusal.message


@pytest.mark.parametrize(
    ("text", "advice"), [("10.20.1.1/16", "10.20.0.0/16"), ("office", "10.20.0.0/16"), ("10.0.0.0/33", "prefix length")]
)
def test_a_network_that_cannot_be_read_says_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        read_network(text)
