"""How a server listens and what it allows."""

import ipaddress
import math
from dataclasses import dataclass

from micro_rl.errors import UserError

SHORTEST_TOKEN = 16
"""Letters; `python -c "import secrets; print(secrets.token_urlsafe())"` makes 43."""


@dataclass(frozen=True)
class ServeSettings:
    """Where a server listens, and its limits."""

    host: str = "127.0.0.1"
    """The address; any other than this machine's own needs a token."""
    port: int = 8642
    """The port; 0 takes a free one."""
    sessions: int = 100
    """Sessions at once; more are refused until one ends."""
    idle: float = 3600.0
    """Seconds without a request after which a session ends."""
    rate: float = 2000.0
    """Requests a second that are answered; more are refused."""
    largest: int = 65_536
    """Bytes of a request's body."""
    patience: float = 10.0
    """Seconds in which a body must have arrived."""


def check(settings: ServeSettings, token: str | None) -> None:
    """Refuse what cannot be, and an open door.

    Raises:
        UserError: in one line.
    """
    if not 0 <= settings.port <= 65_535:
        raise UserError(f"port: {settings.port} is none; take 1 to 65535, or 0 for a free one")
    for name in ("sessions", "idle", "rate", "largest", "patience"):
        value = getattr(settings, name)
        if not value > 0 or math.isinf(value):
            raise UserError(f"{name}: {value} is not positive and finite")
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise UserError(f"the token must be {SHORTEST_TOKEN} or more printable ASCII letters")
    if token is None and not is_loopback(settings.host):
        raise UserError(
            f"host: {settings.host} can be reached by others: give a token with MICRO_RL_TOKEN or --token-file, "
            "or stay on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
