"""micro-rl controller: a policy, its guard and its settings in a folder, for the loop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_rl.cli.commands.console import console, say


@dataclass(frozen=True)
class Making:
    """What goes into the folder."""

    out: Path | None = None
    """The folder; by default RUN/controller."""
    log: str | None = None
    """The log that the guard is fitted on; by default the run's own. A choice and a policy's file need it."""
    records: tuple[str, ...] = ()
    """Records of controllers, of the same columns, that the guard learns from beside the log."""
    rate: float = 0.01
    """Share of healthy steps that may lie above the guard's limit."""
    references: int = 256
    """Rows of the log that distances are measured to."""
    settings: Path | None = None
    """A TOML file with limits, rates, fallback and so on, checked and copied."""


EXPLANATION = """Make a controller of a policy: fit its guard, check its settings, and write all into a folder.

RUN is a run's folder, a choice's, or a policy's file. micro_rl.Controller.load reads the folder with NumPy and
safetensors alone.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.control.controller import Controller
    from micro_rl.control.settings import ControlSettings
    from micro_rl.core.wording import plural

    inputs: Any = parse("controller", arguments, shape("ControllerRun", EXPLANATION, ("run", Path), options=Making))
    asked: Making = inputs.options
    settings = ControlSettings() if asked.settings is None else ControlSettings.from_toml(asked.settings)
    parts = _parts(settings, asked.settings)
    if asked.settings is not None:
        _check(inputs.run, parts, asked.settings)
    made = Controller.from_run(
        inputs.run, rate=asked.rate, log=asked.log, records=asked.records, references=asked.references, **parts
    )
    out = asked.out or (inputs.run if inputs.run.is_dir() else inputs.run.parent) / "controller"
    made.save(out)
    guard, screen = made.guard, console()
    if guard is not None:
        counts = ", ".join(f"{count:,} {name}" for name, count in guard.counts.items())
        say(screen, f"guard   limit {guard.threshold:.4g} for a rate of {guard.rate:g}; {counts}")
        columns = (f"{column}: {column.low:.6g} to {column.high:.6g}" for column in guard.columns.observations[:20])
        say(screen, f"ranges  {'; '.join(columns)}; {plural(len(guard.columns.observations), 'observation')}")
    say(screen, f"folder  {out}")


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
