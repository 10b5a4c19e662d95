"""Which requests a server of this machine answers: none that pages of other sites make a browser send."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from email.message import Message
from urllib.parse import urlsplit


def is_loopback(name: str) -> bool:
    """Whether a host name or address is this machine's own: localhost, 127.x.x.x or ::1."""
    if name.lower().rstrip(".") == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False


def names_other_host(headers: Message) -> bool:
    """Whether a request to an address of this machine itself names another host: a site's name that now points at 127.0.0.1 (DNS
    rebinding).
    """
    try:
        return not is_loopback(urlsplit(f"//{headers.get('Host', '')}").hostname or "")
    except ValueError:
        return True


def is_of_other_site(headers: Message) -> bool:
    """Whether a browser says that a page of another site sent a request."""
    if site := headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    origin = headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("Host", "").lower()
