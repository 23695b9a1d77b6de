"""micro-rl controller: a policy, its guard and its settings in a folder, for the loop."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, say

if TYPE_CHECKING:
    from micro_rl.control.controller import Controller


@dataclass(frozen=True)
class Making:
    """What goes into the folder."""

    out: Path | None = None
    """The folder; by default RUN/controller."""
    log: str | None = None
    """The log that the guard is fitted on; by default the run's own, or what a choice's candidates learned from. A
    policy's file needs it; an export keeps its own guard without it."""
    records: tuple[str, ...] = ()
    """Records of controllers, of the same columns, that the guard learns from beside the log."""
    rate: float | None = None
    """Share of healthy steps that may lie above the guard's limit; by default 0.01."""
    references: int | None = None
    """Rows of the log that distances are measured to; by default 256."""
    settings: Path | None = None
    """A TOML file with limits, rates, fallback and so on, checked and copied; by default those that are in the folder
    already, or in RUN where that is a controller's."""


EXPLANATION = """Make a controller of a policy: fit its guard, check its settings, and write all into a folder.

RUN is a run's folder, a choice's, a policy's file, or an exported one, .py or .onnx. micro_rl.Controller.load reads the
folder with NumPy and safetensors alone.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.control.making import check_free
    from micro_rl.control.settings import ControlSettings
    from micro_rl.core.wording import plural

    inputs: Any = parse("controller", arguments, shape("ControllerRun", EXPLANATION, ("run", Path), options=Making))
    asked: Making = inputs.options
    out = asked.out or (inputs.run if inputs.run.is_dir() else inputs.run.parent) / "controller"
    check_free(out)
    source = asked.settings or _kept(out, inputs.run)
    settings = ControlSettings() if source is None else ControlSettings.from_toml(source)
    parts = _parts(settings, source)
    if source is not None:
        _check(inputs.run, parts, source)
    controller = _made(inputs.run, asked, parts)
    controller.save(out)
    guard, screen = controller.guard, console()
    if asked.settings is None and source is not None:
        say(screen, f"note    the settings are those of {source}; give others with --settings")
    if settings.fallback == "function":
        say(
            screen, f"note    its fallback is a function: Controller.load({str(out)!r}, fallback=...); serve refuses it"
        )
    if guard is not None:
        counts = "".join(f", {count:,} {name}" for name, count in guard.counts.items())
        say(screen, f"guard   limit {guard.threshold:.4g} for a rate of {guard.rate:g}{counts}")
        columns = (f"{column}: {column.low:.6g} to {column.high:.6g}" for column in guard.columns.observations[:20])
        say(screen, f"ranges  {'; '.join(columns)}; {plural(len(guard.columns.observations), 'observation')}")
    say(screen, f"folder  {out}")


def _kept(out: Path, run: Path) -> Path | None:
    """The settings that a controller's folder has, so that no limit is lost by making it anew."""
    from micro_rl.control.making import SETTINGS

    return next((path for path in (out / SETTINGS, run / SETTINGS) if path.is_file()), None)


def _made(run: Path, asked: Making, parts: dict[str, Any]) -> "Controller":
    """The controller: with an export's own guard, or with one that is fitted on the log."""
    from micro_rl.control.controller import Controller
    from micro_rl.control.making import is_export
    from micro_rl.errors import UserError

    of_guard = {"rate": asked.rate, "references": asked.references, "records": asked.records or None}
    of_guard = {name: value for name, value in of_guard.items() if value is not None}
    if not is_export(run) or asked.log is not None:
        return Controller.from_run(run, log=asked.log, **of_guard, **parts)
    if of_guard:
        name = next(iter(of_guard))
        raise UserError(f"--{name}: {run} keeps the guard that is in it: give the log too, with --log LOG, to fit one")
    controller = Controller.from_export(run, **parts)
    if controller.guard is None:
        raise UserError(f"{run}: has no guard in it: give its log, with --log LOG, or export it with --guard")
    return controller


def _parts(settings: Any, source: Path | None) -> dict[str, Any]:
    """Settings, where their fallback policy is, and any function where one is to be given in the loop."""
    parts = {"settings": settings, "folder": Path() if source is None else source.parent}
    return parts | ({"fallback": lambda observed: None} if settings.fallback == "function" else {})


def _check(run: Path, parts: dict[str, Any], source: Path) -> None:
    """Hold the settings against the policy before a guard is fitted; `UserError` that names their file."""
    from micro_rl.control.controller import Controller
    from micro_rl.control.making import policy_of
    from micro_rl.errors import UserError

    policy = policy_of(run)
    try:
        Controller(policy, **parts)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
