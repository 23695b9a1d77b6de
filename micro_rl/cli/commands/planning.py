"""From the words of a command line to a plan, for `train` and `sweep`."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from micro_rl.training.plan import Plan


@dataclass(frozen=True)
class Task:
    """What to learn, and with what."""

    method: str = "micro"
    """One of those that `micro-rl methods` lists, or one of your own: `mine.py`, `package.module:definition`."""
    preset: str | None = None
    """Settings to start from: a task's, `generic`, or `cautious` (generic with support auto, for methods with models,
    MICRO on the members' means); by default those of the log's name, else the generic ones."""
    env: str | None = None
    """Simulator to evaluate in, where the log's name does not tell: a Gymnasium id."""
    termination: str | None = None
    """When model rows end: a rule's name, a condition like "o0 < 0.7 or abs(o1) > 0.2" on the raw next observation,
    or `learned`. By default what the log tells, else learned from its terminals, if it has any."""
    model: Path | None = None
    """Folder of a fitted model to use instead of fitting one."""


class Planned(NamedTuple):
    """The verb's own options, and the plan."""

    task: Any
    plan: "Plan"
    value_of: Callable[[str, list[str], str], Any]
    """What a method's setting or option is where these words are typed: `value_of(method, words, name)`."""


def planned(verb: str, kind: type[Task], explain: Callable[[str, Any], str], arguments: list[str]) -> Planned:
    """Parse the words of a verb that trains; `kind` holds its own options, `explain` says of a method what it does."""
    from micro_rl.algorithms import registry
    from micro_rl.cli.arguments import option_value, parse_with_preset
    from micro_rl.training.plan import make_plan

    name = registry.name_of(option_value(arguments, "--method") or "micro")
    inputs = parse_with_preset(verb, arguments, _defaults(verb, kind, explain, name))
    task = inputs.task
    plan = make_plan(
        inputs.log,
        name,
        resolved=(inputs.settings, inputs.options),
        for_sweep=verb == "sweep",
        preset=task.preset,
        env=task.env,
        horizon=inputs.reading.horizon,
        reading=inputs.reading,
        termination=task.termination,
        model=task.model,
    )

    def value_of(method: str, words: list[str], setting: str) -> Any:
        typed = parse_with_preset(verb, [inputs.log, *words], _defaults(verb, kind, explain, method))
        return (vars(typed.settings) | vars(typed.options))[setting]

    return Planned(task, plan, value_of)


def _defaults(verb: str, kind: type[Task], explain: Callable[[str, Any], str], name: str) -> Callable[[str, Any], Any]:
    """What the words of a verb are parsed into with a method, by preset and log: its defaults."""
    from micro_rl.algorithms import registry
    from micro_rl.cli.arguments import shape
    from micro_rl.core.settings import restricted
    from micro_rl.data.read_options import ReadOptions

    method = registry.find(name)
    if without := registry.for_a_model(name):
        kind = restricted(kind, frozenset(field.name for field in fields(kind)) - set(without))
    parts = {"task": kind, "reading": ReadOptions, "settings": registry.settings_of(name), "options": method.Options}
    whole = shape(verb.capitalize(), explain(name, method), ("log", str), **parts)

    def default(preset: str, log: Any) -> Any:
        return whole(log, kind(method=name), ReadOptions(), *registry.resolve(name, preset, {}))

    return default
