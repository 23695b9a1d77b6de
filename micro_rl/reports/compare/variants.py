"""Which runs are seeds of one method, and which are another method under the same name.

Options that differ on one log make another method: 'micro, beta 0.3' beside 'micro, beta 0.5'. So does a setting that
differs between two runs of the same seed, for that was done on purpose. A setting that differs between seeds only is
more likely a mistake: the runs stay together, and it is named (`cautions`).
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from micro_rl.core.settings import Settings
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.storage.config_diff import HARMLESS

IGNORED = {*HARMLESS, "seed"}
"""Settings that change nothing of what a method is."""
LONGEST = 40
"""Characters of a value that a label shows."""
_DEFAULTS = {name: json.loads(json.dumps(value)) for name, value in dataclasses.asdict(Settings()).items()}


def labels(runs: Sequence[Run]) -> list[str]:
    """Each run's method, with as much of its options and settings as tells it from others of that name."""
    options = {method: _telling_options(_of(runs, method)) for method in {run.method for run in runs}}
    return [", ".join([run.method, *_shown(run, runs, options[run.method])]) for run in runs]


def differing(runs: Iterable[Run]) -> list[str]:
    """Names of the options and settings that are not the same in all of the runs."""
    all_choices = [_choices(run) for run in runs]
    names = dict.fromkeys(name for choices in all_choices for name in choices)
    return [name for name in names if len({_key(value) for value in _known(all_choices, name)}) > 1]


def _telling_options(runs: list[Run]) -> list[str]:
    """Of one method: told of all of its runs, so that a row of the table is the same method on every log."""
    names = {name for run in runs for name in run.record.config.get("options", {})}
    logs = dict.fromkeys(run.log.key for run in runs)
    telling = [name for log in logs for name in differing(_of(runs, runs[0].method, log)) if name in names]
    return list(dict.fromkeys(telling))


def _shown(run: Run, runs: Sequence[Run], options: list[str]) -> list[str]:
    """Options in any case; settings only where they tell twins apart, and only those that are not the default."""
    beside = _of(runs, run.method, run.log.key)
    twins = dict.fromkeys(
        name for seed in {other.seed for other in beside} for name in differing(_of_seed(beside, seed))
    )
    choices, all_choices = _choices(run), [_choices(other) for other in beside]
    shown = []
    for name in [*options, *(name for name in twins if name not in options)]:
        usual = Counter(map(_key, _known(all_choices, name))).most_common(1)
        value = choices.get(name, json.loads(usual[0][0]) if usual else None)
        if name in options or value != _DEFAULTS.get(name):
            shown.append(f"{name} {_text(value)}"[:LONGEST])
    return shown


def _of(runs: Sequence[Run], method: str, log: str | None = None) -> list[Run]:
    return [run for run in runs if run.method == method and log in (None, run.log.key)]


def _of_seed(runs: Sequence[Run], seed: int) -> list[Run]:
    return [run for run in runs if run.seed == seed]


def _known(all_choices: list[dict[str, Any]], name: str) -> list[Any]:
    """The values of those that have it: what a run lacks was not yet a choice when it was made."""
    return [choices[name] for choices in all_choices if name in choices]


def _choices(run: Run) -> dict[str, Any]:
    """Settings with the defaults of what was not yet a choice, then options."""
    config = run.record.config
    settings = config.get("settings", {})
    usual = _DEFAULTS if config.get("format") == 1 and config.get("learns_model", True) else {}
    chosen = {**usual, **settings, **config.get("options", {})}
    return {name: value for name, value in chosen.items() if name not in IGNORED}


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
