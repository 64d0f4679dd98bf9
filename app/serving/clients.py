"""Who asks: the address by which the lab tells one client from another.

Behind a proxy every request comes from the proxy. It names the client in x-forwarded-for, to which each proxy adds the
address that it saw, at the end. What stands before those entries, the client may have made up.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from typing import Any

PROXIES = "PTP_LAB_PROXIES"  # how many proxies stand before the lab; "auto": see client_of
_HEADER = b"x-forwarded-for"
_NETWORK = 64  # bits of an IPv6 address that name a network; one client has all addresses of one


def client_of(scope: Mapping[str, Any], proxies: str | None = None) -> str | None:
    """The client's address by an ASGI scope; None for a visitor at this machine itself, whom nothing limits.

    proxies: their number, "auto" or None for $PTP_LAB_PROXIES. "auto" reads the header where the request came from a
    private address, as on a Space, and takes the last public address in it. A request that came from a public address
    is that client's own, whatever its header says. Behind proxies with public addresses, give their number.
    """
    chosen = proxies or os.environ.get(PROXIES) or "auto"
    peer = _address((scope.get("client") or ("",))[0])
    header = b",".join(value for name, value in scope.get("headers") or () if name.lower() == _HEADER)
    told = [found for found in map(_address, header.decode("latin-1").split(",")) if found is not None]
    found = _told_last(peer, told) if chosen == "auto" else _told_by(int(chosen), peer, told)
    if found is None:
        return "unknown"  # a socket without addresses: all such requests are one client's
    return None if found.is_loopback else _name(found)


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _told_last(peer: Address | None, told: Sequence[Address]) -> Address | None:
    if (peer is not None and peer.is_global) or not told:
        return peer
    return next((address for address in reversed(told) if address.is_global), told[-1])


def _told_by(proxies: int, peer: Address | None, told: Sequence[Address]) -> Address | None:
    return told[-proxies] if 0 < proxies <= len(told) else peer


def _address(text: str) -> Address | None:
    """The address in an entry: with a port, in brackets, or plain; None if there is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _name(address: Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, _NETWORK), strict=False))
