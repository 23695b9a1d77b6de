"""The application: what every operation does with its request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from micro_rl.control.controller import Controller
from micro_rl.errors import UserError
from micro_rl.serve.answers import Begun, Ended, EpisodeBegun, Health, complaints, decided, described, refuse, respond
from micro_rl.serve.gate import Gate
from micro_rl.serve.messages import Begin, Message, Reset, Step, too_many, twice, why_not
from micro_rl.serve.metrics import CONTENT_TYPE, Metrics
from micro_rl.serve.openapi import openapi
from micro_rl.serve.operations import OPERATIONS
from micro_rl.serve.page import page
from micro_rl.serve.sessions import Full, Sessions
from micro_rl.serve.settings import ServeSettings

Kind = TypeVar("Kind", bound=Message)
UNKNOWN = "there is no such session: it was idle for too long or the server was started anew; begin one with its past"


class Application:
    """One policy's operations, each a request to a response."""

    def __init__(self, controller: Controller, sessions: Sessions, settings: ServeSettings, secured: bool):
        self._controller, self._sessions, self._settings = controller, sessions, settings
        self.metrics, self._secured = Metrics(sessions), secured

    async def health(self, request: Request) -> Response:
        """Say that the server is there."""
        return respond(Health(status="ok"))

    async def policy(self, request: Request) -> Response:
        """Describe what is served."""
        return respond(described(self._controller))

    async def begin(self, request: Request) -> Response:
        """Begin a session."""
        past = await self._read(request, Begin)
        if why := too_many(past, self._controller):
            return refuse(422, why)
        try:
            name, controller = self._sessions.begin()
        except Full:
            return refuse(503, "there are as many sessions as may be: end one", {"retry-after": "60"})
        wrong = controller.prime(past.observations, past.actions) if past.observations or past.actions else ()
        return respond(Begun(session=name, wrong=complaints(wrong)), 201)

    async def step(self, request: Request) -> Response:
        """Decide."""
        step, controller = await self._read(request, Step), self._found(request)
        if why := too_many(step, controller):
            return refuse(422, why)
        decision = controller.step(step.observation, step.applied_action, step.reward)
        self.metrics.decided(decision)
        return respond(decided(decision, controller))

    async def reset(self, request: Request) -> Response:
        """Begin an episode."""
        reset, controller = await self._read(request, Reset), self._found(request)
        if why := too_many(reset, controller):
            return refuse(422, why)
        controller.reset(reset.terminated, reset.reward, reset.applied_action)
        return respond(EpisodeBegun())

    async def end(self, request: Request) -> Response:
        """End a session."""
        self._found(request)
        wrong = self._sessions.end(request.path_params["session"])
        return respond(Ended(wrong=[wrong] if wrong else []))

    async def metrics_text(self, request: Request) -> Response:
        """Tell the counters."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def description(self, request: Request) -> Response:
        """Describe the operations, for machines."""
        return JSONResponse(openapi(self._secured))

    async def page(self, request: Request) -> Response:
        """Describe them for people."""
        return HTMLResponse(page(described(self._controller), self._secured))

    def _found(self, request: Request) -> Controller:
        try:
            return self._sessions.find(request.path_params["session"])
        except KeyError:
            raise HTTPException(404, UNKNOWN) from None

    async def _read(self, request: Request, kind: type[Kind]) -> Kind:
        """The message in a request's body.

        Raises:
            HTTPException: it is none.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send application/json")
        try:
            content = await asyncio.wait_for(self._body(request), self._settings.patience)
        except TimeoutError:
            raise HTTPException(408, "the body did not arrive in time") from None
        except ClientDisconnect:
            raise HTTPException(400, "the connection was closed") from None
        if (key := twice(content)) is not None:
            raise HTTPException(422, f"{key[:80]}: is there twice")
        try:
            return kind.model_validate_json(content or b"{}")
        except ValidationError as error:
            raise HTTPException(422, why_not(error)) from None

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._settings.largest:
                raise HTTPException(413, f"the body is larger than {self._settings.largest:,} bytes")
            parts.append(part)
        return b"".join(parts)


def application(controller: Controller, sessions: Sessions, settings: ServeSettings, token: str | None) -> ASGIApp:
    """The application, with its gate."""
    own = Application(controller, sessions, settings, token is not None)
    handlers: dict[str, Callable[[Request], Awaitable[Response]]] = {
        operation.name: getattr(own, operation.name)
        for operation in OPERATIONS
        if operation.name not in ("metrics", "openapi")
    }
    handlers |= {"metrics": own.metrics_text, "openapi": own.description}
    routes = [Route(each.path, handlers[each.name], methods=[each.method], name=each.name) for each in OPERATIONS]
    handled = {HTTPException: _refused, UserError: _unable, Exception: _failed}
    app = Starlette(routes=routes, exception_handlers=handled)
    app.router.redirect_slashes = False  # a path is an operation's or it is none
    return Gate(app, own.metrics, token, settings.rate)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refuse(error.status_code, error.detail, dict(error.headers or {}))


async def _unable(request: Request, error: Exception) -> Response:
    return refuse(503, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    """Answer; Starlette then raises the error again, and the gate prints it."""
    return refuse(500, "the server failed; its console says how")
