"""From which networks a call may come."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from headgate.refusal import Reason, Refusal

Network = IPv4Network | IPv6Network


def read_network(text: str) -> Network:
    """`"10.0.0.0/8"`, `"::1"`. Raises ValueError with a sentence that says what to write instead."""
    try:
        return ip_network(text.strip())
    except ValueError:
        pass
    try:
        wider = ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f'{text!r} is not a network; write it as address and prefix length, for example "10.20.0.0/16"') from None
    raise ValueError(f'{text!r} has bits set behind its prefix; write "{wider}" for the network or a bare address for one machine')


def within(peer: str, networks: Sequence[Network]) -> bool:
    """Whether the peer is in one of the networks. An address that cannot be read is in none."""
    try:
        address = ip_address(peer.partition("%")[0])  # a link-local peer carries its interface behind a percent sign
    except ValueError:
        return False
    # A dual-stack listener sees IPv4 callers as ::ffff:a.b.c.d; the operator wrote the IPv4 network.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def refuse_network(peer: str, *lists: Sequence[Network]) -> Refusal | None:
    """Every list that is not empty must hold the peer: the gate's, the workspace's and the key's each only narrow."""
    for networks in lists:
        if networks and not within(peer, networks):
            return Refusal(
                Reason.NETWORK_NOT_ALLOWED,
                f"This key may not be used from {peer}. The owner of the workspace lists the networks it may be used from.",
            )
    return None
