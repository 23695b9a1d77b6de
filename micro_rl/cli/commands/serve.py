"""micro-rl serve: a controller over HTTP."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError, require_extra
from micro_rl.serve.settings import ServeSettings

TOKEN = "MICRO_RL_TOKEN"


@dataclass(frozen=True)
class Serve(ServeSettings):
    """Where to listen, who may ask, and how much."""

    token_file: Path | None = None
    """A file with the token that clients must send; or the environment's MICRO_RL_TOKEN."""
    records: Path | None = None
    """A folder in which every session's record is kept, SESSION.csv, for micro-rl data check and train."""


EXPLANATION = """Answer over HTTP what a policy would do, with its guard, its limits and its fallback.

EXPORT is a folder that Controller.save wrote, an exported file (.py, .onnx) with the guard that is in it, or a
run's folder or a policy's file, which have none.
The server describes itself at its address. SIGTERM and Ctrl-C stop it.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.serve.settings import check

    inputs: Any = parse("serve", arguments, shape("ServeExport", EXPLANATION, ("export", Path), options=Serve))
    asked: Serve = inputs.options
    token = _token(asked.token_file)
    check(asked, token)
    _serve(inputs.export, asked, token)


def _serve(export: Path, asked: Serve, token: str | None) -> None:
    for library in ("starlette", "uvicorn", "prometheus_client"):
        require_extra(library, "serve", "micro-rl serve")
    from micro_rl.serve.server import serve
    from micro_rl.storage.files import saving

    controller = _controller(export)
    if asked.records is not None:
        with saving(asked.records):
            asked.records.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=asked.records).close()  # before the plant asks, not when it does

    def ready(address: str) -> None:
        if controller.guard is None:
            print("note    no guard: what is unlike the log is decided on too; micro-rl controller RUN makes one")
        print(f"serving {address}", flush=True)

    sessions = serve(controller, asked, token, asked.records, ready)
    print(f"stopped; {sessions} open session{'' if sessions == 1 else 's'} ended")


def _controller(export: Path) -> Any:
    from micro_rl.control.controller import Controller
    from micro_rl.control.making import PARTS, POLICY, SETTINGS, is_export, policy_of

    if is_export(export):
        return Controller.from_export(export)
    of_policy = export.is_file() or (export / POLICY).exists()
    own = any((export / name).exists() for name in (PARTS, SETTINGS))
    return Controller(policy_of(export)) if of_policy and not own else Controller.load(export)


def _token(file: Path | None) -> str | None:
    """The token of the file, or of the environment."""
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"--token-file {file}: cannot be read ({why}); check the path") from error
