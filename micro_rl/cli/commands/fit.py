"""micro-rl fit: the dynamics model alone, to be shared by many runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, say, typed
from micro_rl.core.wording import plural

if TYPE_CHECKING:
    from micro_rl.core.model_settings import ModelSettings
    from micro_rl.data.read_options import ReadOptions


@dataclass(frozen=True)
class Fitting:
    """What to fit and where to put it."""

    preset: str | None = None
    """Settings to start from; by default those of the log's name, else the generic ones."""
    out: Path | None = None
    """The model's folder; by default trained/LOG-model-seedN."""
    seed: int = 0
    """Of everything random in the fit."""
    resume: bool = False
    """Go on from the newest valid checkpoint of a fit that was stopped."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.algorithms.registry import resolve
    from micro_rl.cli.arguments import parse_with_preset, shape
    from micro_rl.core.model_settings import ModelSettings
    from micro_rl.data.read_options import ReadOptions

    explanation = "Fit the dynamics model alone; `micro-rl train LOG --model DIR` uses it."
    kind = shape("Fit", explanation, ("log", str), fitting=Fitting, reading=ReadOptions, settings=ModelSettings)

    def default(preset: str, log: Any) -> Any:
        settings, _ = resolve("micro", preset, {})
        own = {name: getattr(settings, name) for name in ModelSettings.__dataclass_fields__}
        return kind(log, Fitting(), ReadOptions(), ModelSettings(**own))

    inputs = parse_with_preset("fit", arguments, default)
    _fit_model(inputs.log, inputs.fitting, inputs.reading, inputs.settings)


def _fit_model(log: str, options: Fitting, reading: "ReadOptions", settings: "ModelSettings") -> None:
    from micro_rl.api import fit
    from micro_rl.cli.display import Display
    from micro_rl.dynamics.quality_report import NO_EPISODES
    from micro_rl.training.interrupts import Interrupts
    from micro_rl.training.log_reading import read_log

    dataset, screen = read_log(log, reading), console()
    with Display(1, settings.max_fit_epochs, screen) as display, Interrupts(display.note) as interrupts:
        folder, about = fit(
            dataset,
            settings,
            options.seed,
            out=options.out,
            resume=options.resume,
            callback=display.of_run(settings=settings),
            interrupts=interrupts,
            command=typed(),
        )
    best = ", ".join(f"{error:.5f}" for error in about["holdout"])
    say(screen, f"{plural(about['epochs'], 'epoch')}; holdout errors of the members: {best}")
    if not about.get("episodes_held_out"):
        say(screen, f"note   {NO_EPISODES}")
    say(screen, f"model  {folder}")
