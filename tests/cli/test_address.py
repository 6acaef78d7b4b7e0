from __future__ import annotations

import errno
import socket

import pytest

from headgate.cli.address import cannot_listen, listening
from headgate.config.kinds import Address


def test_an_address_in_use_is_told_with_the_setting_to_change() -> None:
    with listening(Address("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError) as refused:
            listening(address)
    told = cannot_listen("house.listen", address, refused.value)
    assert told.startswith(f"cannot listen on {address}: another program") and "`house.listen`" in told


def test_an_address_is_free_again_as_soon_as_it_is_closed() -> None:
    first = listening(Address("127.0.0.1", 0))
    port = first.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    first.accept()[0].close()
    client.close()
    first.close()
    listening(Address("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EACCES, "x"), "ports below 1024"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "no such address"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("odd"), "odd"),
    ],
)
def test_every_other_reason_is_told_too(error: OSError, told: str) -> None:
    assert told in cannot_listen("gate.listen", Address("::1", 80), error)
    assert "[::1]:80" in cannot_listen("gate.listen", Address("::1", 80), error)
