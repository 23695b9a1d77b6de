"""micro-rl serve: a controller over HTTP."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.errors import UserError, require_extra
from micro_rl.serve.settings import ServeSettings

if TYPE_CHECKING:
    from micro_rl.control.controller import Controller

TOKEN = "MICRO_RL_TOKEN"
EXTRA, PURPOSE = "serve", "micro-rl serve"


@dataclass(frozen=True)
class Serve(ServeSettings):
    """Where to listen, who may ask, and how much."""

    token_file: Path | None = None
    """A file with the token that clients must send; or the environment's MICRO_RL_TOKEN."""
    records: Path | None = None
    """A folder in which every session's record is kept, SESSION.csv, for micro-rl data check and train."""
    settings: Path | None = None
    """A TOML file with limits, rates, fallback and so on, for what has none: an export, a run, a policy's file."""


EXPLANATION = """Answer over HTTP what a policy would do, with its guard, its limits and its fallback.

EXPORT is a folder that Controller.save wrote, an exported file (.py, .onnx) with the guard that is in it, or a
run's folder or a policy's file, which have none. The folder has its limits and its fallback; the others have those
of --settings.
The server describes itself at its address. SIGTERM and Ctrl-C stop it.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    require_extra("tyro", EXTRA, PURPOSE)  # micro-rl has it without the extra, micro-rl-runtime with it
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.serve.settings import check

    inputs: Any = parse("serve", arguments, shape("ServeExport", EXPLANATION, ("export", Path), options=Serve))
    asked: Serve = inputs.options
    token = _token(asked.token_file)
    check(asked, token)
    _serve(inputs.export, asked, token)


def _serve(export: Path, asked: Serve, token: str | None) -> None:
    for library in ("starlette", "uvicorn", "h11", "prometheus_client", "pydantic"):
        require_extra(library, EXTRA, PURPOSE)
    from micro_rl.serve.server import serve
    from micro_rl.storage.files import saving

    own = _has_settings(export)
    controller = _controller(export, own, asked.settings)
    if asked.records is not None:
        with saving(asked.records):
            asked.records.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=asked.records).close()  # before the plant asks, not when it does

    def ready(address: str) -> None:
        if controller.guard is None:
            print("note    no guard: what is unlike the log is decided on too; micro-rl controller RUN makes one")
        if not own and asked.settings is None:
            print(
                "note    no --settings: the limits are the policy's bounds, no rate is kept, and the fallback is hold"
            )
        print(f"serving {address}", flush=True)

    sessions = serve(controller, asked, token, asked.records, ready)
    print(f"stopped; {sessions} open session{'' if sessions == 1 else 's'} ended")


def _has_settings(export: Path) -> bool:
    """Whether it is a controller's folder, also one of which a part is lost; what is no policy at all counts as one."""
    from micro_rl.control.making import PARTS, POLICY, SETTINGS, is_export

    if is_export(export) or export.is_file():
        return False
    return any((export / name).exists() for name in (PARTS, SETTINGS)) or not (export / POLICY).exists()


def _controller(export: Path, own: bool, settings: Path | None) -> "Controller":
    """The controller that every session is made after; `own` where the folder has settings."""
    from micro_rl.control.controller import Controller
    from micro_rl.control.making import is_export, of_export, policy_of
    from micro_rl.control.settings import ControlSettings

    if own:
        _check_fallback(export)
        controller = Controller.load(export)
        if settings is not None:
            raise UserError(
                f"--settings {settings}: {export} has its own: change its controller.toml, or make it anew with "
                f"micro-rl controller RUN --settings {settings} --out {export}"
            )
        return controller
    policy, guard = of_export(export) if is_export(export) else (policy_of(export), None)
    if settings is None:
        return Controller(policy, guard)
    chosen = ControlSettings.from_toml(settings)
    try:
        return Controller(policy, guard, chosen, folder=settings.parent)
    except UserError as error:
        raise UserError(f"{settings}: {error}") from None


def _check_fallback(folder: Path) -> None:
    """Refuse a folder whose fallback is a function, which is given in Python alone."""
    from micro_rl.control.making import in_folder

    if in_folder(folder)[2].fallback == "function":
        raise UserError(
            f"{folder}: its fallback is a function, which only Python can give: serve one made with --settings TOML "
            "that says another fallback (hold, fixed, policy)"
        )


def _token(file: Path | None) -> str | None:
    """The token of the file, or of the environment."""
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"--token-file {file}: cannot be read ({why}); check the path") from error
