"""A server's life: it takes its address, serves until it is told to stop, and ends its sessions."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from micro_rl.control.controller import Controller
from micro_rl.errors import UserError
from micro_rl.serve.app import application
from micro_rl.serve.connection import CONNECTIONS, Connection
from micro_rl.serve.sessions import Sessions
from micro_rl.serve.settings import ServeSettings, check

GRACE = 5
"""Seconds that requests have to end when the server stops."""


def serve(
    controller: Controller,
    settings: ServeSettings,
    token: str | None = None,
    records: Path | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> int:
    """Serve a controller until SIGTERM or Ctrl-C.

    Args:
        controller: whose policy, guard and settings every session has.
        settings: the address and the limits.
        token: what every client must know; None lets all of this machine in.
        records: a folder for the sessions' records.
        ready: is told the address when the server listens.

    Returns:
        How many sessions were open at the end.

    Raises:
        UserError: the address is taken or open to others without a token, or a fallback cannot be copied.
    """
    check(settings, token)
    controller.fresh()  # what cannot be made for another system is refused now, not when a client begins
    sessions = Sessions(controller, settings.sessions, settings.idle, records)
    config = uvicorn.Config(
        application(controller, sessions, settings, token),
        loop="asyncio",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=GRACE,
    )
    with closing(_listening(settings)) as place, _stops_are_no_errors():
        host, port = place.getsockname()[:2]
        ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        uvicorn.Server(config).run(sockets=[place])
    return sessions.close()


def _listening(settings: ServeSettings) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
    except UnicodeError:
        raise UserError(f"host: {settings.host!r:.80} is no name of a machine; try 127.0.0.1") from None
    except OSError as error:
        raise UserError(f"host: {settings.host} is no address of this machine ({error.strerror})") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise UserError(f"{settings.host}:{settings.port}: {error.strerror}; choose another --port") from error
    return listener


@contextmanager
def _stops_are_no_errors() -> Iterator[None]:
    """uvicorn stops at these signals and raises them again when it has; by then nothing is left to do."""

    def nothing(number: int, frame: FrameType | None) -> None:
        pass

    before = {number: signal.signal(number, nothing) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
