"""Why an address cannot be listened on, in words that say what to change."""

from __future__ import annotations

import errno
import socket

from headgate.config.kinds import Address

_WHY: dict[int, str] = {
    errno.EADDRINUSE: "another program, perhaps another gate, listens there",
    errno.EACCES: "this user may not; ports below 1024 need the right to",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def cannot_listen(setting: str, address: Address, error: OSError) -> str:
    """`setting` is where the address was written, such as gate.listen."""
    why = _WHY.get(error.errno or 0) or error.strerror or str(error)
    return f"cannot listen on {address}: {why}. Change `{setting}` in headgate.toml, or stop the other program"


def listening(address: Address) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
