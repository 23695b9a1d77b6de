"""Whether a cluster answers at an address, and takes our token: asked once, where Ray would try for minutes."""

import os
import socket
from importlib import import_module
from typing import Any

from micro_rl.errors import UserError

CLIENT = "ray://"
PATIENCE = 20
"""Seconds that an address is given to answer."""
GLANCE = 5.0
"""Seconds of one look whether something listens."""
HEAD_CALL = "/ray.rpc.NodeInfoGcsService/GetClusterId"
CLIENT_CALL = "/ray.rpc.RayletDriver/ClusterInfo"
"""Each is answered by one kind of Ray's servers alone, without a change of anything there."""


def refuse_dead(what: str, address: str) -> None:
    """Refuse an address at which nothing of Ray's answers, and a cluster that wants another token.

    Args:
        what: how it was named, for the message.
        address: HOST:PORT of a cluster's head, or with ray:// in front of its client's server.

    Raises:
        UserError: in one line, after `PATIENCE` at most.
    """
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"on: {what!r} is no address; write {CLIENT}HOST:PORT, as in {CLIENT}10.0.0.5:10001")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError, ValueError) as error:  # the last: a name that no host can have
        raise UserError(f"on: {what}: nothing answers there ({error}); is the cluster up, and its port open?") from None
    client = address.startswith(CLIENT)
    answer = _answer(f"{host}:{port}", CLIENT_CALL if client else HEAD_CALL)
    if answer == "UNAUTHENTICATED":
        raise UserError(
            f"on: {what}: the cluster wants another token than ours, or one where we have none; set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here as where it was begun"
        )
    if answer == "UNIMPLEMENTED":
        other = "RAY_ADDRESS=HOST:PORT and --on auto" if client else f"--on {CLIENT}HOST:PORT"
        kind = "port of Ray's client" if client else "head's own port"
        raise UserError(f"on: {what}: that is not the {kind}; if it is the other one, say {other}")
    if answer in ("DEADLINE_EXCEEDED", "UNAVAILABLE"):
        raise UserError(
            f"on: {what}: something listens there, but no cluster answers; is that the port of ray start "
            f"({'10001' if client else '6379'}, unless it was told another)?"
        )


def listens(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=GLANCE).close()
    except (OSError, OverflowError, ValueError):
        return False
    return True


def found() -> str | None:
    """The address that --on auto would take: RAY_ADDRESS, or what runs on this machine; None: Ray has to say."""
    named = os.environ.get("RAY_ADDRESS", "")
    if named:
        return named if named.rpartition(":")[2].isdecimal() else None
    try:
        [only] = import_module("ray._private.services").find_gcs_addresses()
    except Exception:  # none or several, which Ray says in its words; or this part, its own business, is gone
        return None
    return only


def _answer(address: str, call: str) -> str:
    """What came of a call: the name of gRPC's code, "" where Ray's own parts for calls are gone.

    Raises:
        UserError: Ray wants a token of us, and finds none.
    """
    try:
        options: Any = import_module("ray._private.ray_constants").GLOBAL_GRPC_OPTIONS
        make: Any = import_module("ray._private.grpc_utils").init_grpc_channel
        grpc: Any = import_module("grpc")
        channel = make(address, options=options)
    except (ImportError, AttributeError, TypeError):
        return ""
    try:
        channel.unary_unary(call)(b"", timeout=PATIENCE, wait_for_ready=True)
    except grpc.RpcError as error:
        return error.code().name
    except Exception as error:
        if type(error).__name__ != "AuthenticationError":
            return ""
        raise UserError(
            "on: RAY_AUTH_MODE=token is set, and no token is found; set RAY_AUTH_TOKEN to the cluster's, or keep it "
            "in ~/.ray/auth_token"
        ) from None
    finally:
        channel.close()
    return "OK"
