"""micro-rl train: learn a policy from a log."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from micro_rl.commands.training import carry_out


@dataclass(frozen=True)
class Task:
    """What to learn, and with what."""

    method: str = "micro"
    """One of those that `micro-rl methods` lists; each has options of its own."""
    preset: str | None = None
    """Settings to start from; by default those of the log's name, else the generic ones."""
    env: str | None = None
    """Simulator to evaluate in, where the log's name does not tell: a Gymnasium id."""
    termination: str | None = None
    """When model rows end: a rule's name, a condition like "o0 < 0.7 or abs(o1) > 0.2" on the raw next observation, or
    `learned`. By default what the log tells, else learned from its terminals, if it has any."""
    model: Path | None = None
    """Folder of a fitted model to use instead of fitting one."""


@dataclass(frozen=True)
class Training(Task):
    """What to train on and where to put it."""

    out: Path | None = None
    """The run folder; by default trained/LOG-METHOD-seedN."""
    resume: bool = False
    """Go on from the newest valid checkpoint in the run folder."""
    branch: Path | None = None
    """New folder in which the run in --out goes on from its newest checkpoint with what is changed here."""
    until: int | None = None
    """Stop after this epoch with everything saved; --resume goes on later."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Send the metrics to Weights & Biases as well (needs the extra micro-rl[wandb])."""


FOR_A_MODEL = {"termination", "model"}
"""What cannot be asked of a method that learns no model."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl import catalogue
    from micro_rl.arguments import parse_with_preset, shape, value_of
    from micro_rl.data.reading import Reading
    from micro_rl.plan import make_plan, resolve
    from micro_rl.settings import restricted

    named = value_of(arguments, "--method") or "micro"
    method, training = catalogue.find(named), Training
    if not catalogue.learns_model(named):
        training = restricted(Training, frozenset(field.name for field in fields(Training)) - FOR_A_MODEL)
    explanation = f"Learn a policy from a log with {named}: {method.SUMMARY} ({method.PAPER}).\n\n"
    explanation += "The options' defaults are those of the log's preset."
    general, own = catalogue.settings_of(named), method.Options
    kind = shape("Train", explanation, ("log", str), training=training, reading=Reading, settings=general, options=own)

    def default(preset: str, log: Any) -> Any:
        return kind(log, training(method=named), Reading(), *resolve(named, preset, {}))

    given = parse_with_preset("train", arguments, default)
    asked = given.training
    plan = make_plan(
        given.log,
        named,
        preset=asked.preset,
        env=asked.env,
        horizon=given.reading.horizon,
        reading=given.reading,
        ends=asked.termination,
        model=asked.model,
        overrides=asdict(given.settings) | asdict(given.options),
    )
    carry_out(plan, asked.out, asked.resume, asked.until, asked.wandb, asked.branch)
