"""A connection: so many at most, and what is no HTTP is refused as everything else is."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from micro_rl.serve.answers import refuse

CONNECTIONS = 256
CLOSE = {"connection": "close"}


class Connection(H11Protocol):
    """uvicorn's, whose own refusals are plain text, and shut out those who were there first."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection; where there are too many, all that it is for is to say so."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self.app = refuse(503, "there are too many connections", CLOSE | {"retry-after": "1"})

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and hang up."""
        refusal = refuse(400, "the request is no HTTP", CLOSE)
        head = h11.Response(status_code=400, headers=refusal.raw_headers, reason=b"Bad Request")
        for event in (head, h11.Data(data=bytes(refusal.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
