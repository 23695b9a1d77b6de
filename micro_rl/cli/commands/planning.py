"""What `train` and `sweep` have in common: from the words of a command line to a plan."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from micro_rl.training.plan import Plan


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


FOR_A_MODEL = {"termination", "model"}
"""What cannot be asked of a method that learns no model."""


class Planned(NamedTuple):
    """What was asked, what it comes to, and the values of all settings and options by name."""

    asked: Any
    plan: "Plan"
    values: dict[str, Any]
    values_with: Callable[[list[str]], dict[str, Any]]
    """The values with more words on the command line."""


def planned(verb: str, kind: type[Task], explain: Callable[[str, Any], str], arguments: list[str]) -> Planned:
    """Parse the words of a verb that trains; `kind` holds its own options, `explain` says of a method what it does."""
    from micro_rl.algorithms import registry
    from micro_rl.cli.arguments import parse_with_preset, shape, value_of
    from micro_rl.core.settings import restricted
    from micro_rl.data.read_options import ReadOptions
    from micro_rl.training.plan import make_plan

    named = value_of(arguments, "--method") or "micro"
    method = registry.find(named)
    if not registry.learns_model(named):
        kind = restricted(kind, frozenset(field.name for field in fields(kind)) - FOR_A_MODEL)
    parts = {"asked": kind, "reading": ReadOptions, "settings": registry.settings_of(named), "options": method.Options}
    whole = shape(verb.capitalize(), explain(named, method), ("log", str), **parts)

    def default(preset: str, log: Any) -> Any:
        return whole(log, kind(method=named), ReadOptions(), *registry.resolve(named, preset, {}))

    def values_with(words: list[str]) -> dict[str, Any]:
        said = parse_with_preset(verb, [*arguments, *words], default)
        return asdict(said.settings) | asdict(said.options)

    given = parse_with_preset(verb, arguments, default)
    asked, values = given.asked, asdict(given.settings) | asdict(given.options)
    plan = make_plan(
        given.log,
        named,
        preset=asked.preset,
        env=asked.env,
        horizon=given.reading.horizon,
        reading=given.reading,
        ends=asked.termination,
        model=asked.model,
        overrides=values,
    )
    return Planned(asked, plan, values, values_with)
