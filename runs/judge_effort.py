"""What a longer fit of the judge brings: `python -m runs.judge_effort DATA WORLDS OUT WORLD PASSES WIDTH [...]`.

The judge of a choice that `runs.choose` left in OUT is fitted anew with so many passes and hidden layers so wide, and
estimates every policy of the choice. How far its estimates are from what `runs.choose` measured goes to
docs/results/data/judge-effort.json (`runs.records`), which is part of docs/results/choose.md.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl import Policy
from micro_rl.core.wording import number
from micro_rl.data.parts import part
from micro_rl.selection.look import look
from micro_rl.selection.question import Question
from micro_rl.trust.actors import judged
from micro_rl.trust.apart import labelled, of_the_part, with_length
from micro_rl.trust.case import Case, prepare
from micro_rl.trust.estimates import collect, test_on_folds
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Effort
from micro_rl.trust.places import behaviour, common_starts
from runs import usage
from runs.choose import STUDY as CHOICES
from runs.choose import cell_of
from runs.kept_cells import kept, made_by
from runs.records import recorded
from runs.study_pages import table
from runs.trust_worlds import World, worlds

STUDY = "judge-effort"
COMMAND = "python -m runs.judge_effort DATA WORLDS OUT WORLD PASSES WIDTH [...]"
SECTION = """
## What a longer fit of the judge brings

The judge of a choice is an ensemble; how far are its estimates from the truth, over all policies of the choice, after
so many passes over its part of the log, with hidden layers so wide? Errors of the difference, a window: mean ± standard
deviation over the policies, where the policy is held against clones of what made the log, and where it is held
against the return that the log measured. The interval must span both. "Unexplained" is what the judge's test on
parts of the log, which knows no truth, takes for the deviation.

{table}

{made}
"""
MINUTES = 30.0
"""Of the choice whose policies are estimated."""


def judge_of(world: World, effort: Effort) -> Case:
    """The judge as a choice makes it, but for its effort."""
    asked = Question(minutes=MINUTES)
    labels, options = labelled(world.dataset, asked.options(world.dataset, Path()))
    judging = part(labels).judging
    options, _ = with_length(judging, labels, of_the_part(labels, options._replace(folder=None, effort=effort)))
    return prepare(lay_out(judging, look(world.dataset).history, options), options, lambda *_: None)


def figures(world: World, out: Path, effort: Effort) -> dict[str, Any]:
    """Errors of a judge's estimates of a choice's policies, from the clone's and from what the log measured."""
    name = cell_of(world.name, MINUTES)
    truths = recorded(CHOICES)[name]["figures"]["truths"]
    case = judge_of(world, effort)
    starts, scaling, history = common_starts(case), case.judge.scaling, case.layout.dataset.history
    clone, measured = collect(case, behaviour(case), starts).total.mean(), case.layout.windows.returns.mean()
    test = test_on_folds(case, lambda *_: None)
    values = np.array([
        collect(case, judged(Policy.load(out / name / "policies" / f"{policy}.safetensors"), scaling, history), starts)
        .total.mean()
        for policy in truths
    ])  # fmt: skip
    true = np.array([truth["difference"] for truth in truths.values()])
    return {
        "policies": len(truths),
        "from_clone": _mean_and_deviation(values - clone - true),
        "from_measured": _mean_and_deviation(values - measured - true),
        "clone_error": float(clone - measured),
        "unexplained": test.unexplained,
        "explained": test.explained,
        "measured": float(measured),
    }


def _mean_and_deviation(errors: np.ndarray) -> list[float]:
    return [float(errors.mean()), float(errors.std())]


def section() -> str:
    """What is recorded, as a section of the page of choices; empty where nothing is."""
    cells = recorded(STUDY)
    if not cells:
        return ""
    heads = ["world", "passes", "width", "policies", "error from the clone", "from the log's return"]
    rows = []
    for name, cell in cells.items():
        world, _, effort = name.rpartition("-")
        about = cell["figures"]
        errors = (
            f"{number(mean)} ± {number(spread)}" for mean, spread in (about["from_clone"], about["from_measured"])
        )
        rows.append([world, *effort.split("x"), str(about["policies"]), *errors, number(about["unexplained"])])
    return SECTION.format(table=table([*heads, "unexplained"], rows), made=made_by(STUDY, COMMAND))


def main() -> None:
    """Fit and estimate, for each pair of passes and width."""
    data, logs, out, name, *efforts = usage.words(__doc__, 6)
    world = worlds(Path(data), Path(logs))[name]
    for passes, width in zip(efforts[::2], efforts[1::2], strict=True):
        effort = Effort(fit_epochs=int(passes), fit_updates=0, hidden=(int(width),) * 4)
        cell = kept(STUDY, f"{name}-{passes}x{width}", partial(figures, world, Path(out), effort))
        print(f"{name}, {passes} passes, {width} wide: {cell}", flush=True)


if __name__ == "__main__":
    main()
