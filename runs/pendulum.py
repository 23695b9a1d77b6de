"""The embedded log: `python -m runs.pendulum OUT` runs what is not recorded yet and writes docs/results/pendulum.md.

Cloning, SAC on the model, MICRO and an online learner, five seeds. OUT takes the run folders; what was found is
recorded in docs/results/data/pendulum.json (`runs.records`), and a run that was stopped goes on.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.export import export
from micro_rl.algorithms.model_free import bc
from micro_rl.data import load
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.saved_model import load_model
from micro_rl.policy import Policy
from micro_rl.simulation.evaluation import evaluate
from micro_rl.simulation.online_sac import learn
from micro_rl.simulation.online_settings import OnlineSettings
from micro_rl.training.fitting import problem_of
from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute
from runs.kept_cells import kept, made_by
from runs.long_runs import shared_model
from runs.progress import Lines
from runs.records import recorded
from runs.study_pages import table, write
from runs.usage import words

STUDY = "pendulum"
PAGE = Path("docs/results/pendulum.md")
LOG, ENV, SEEDS = "pendulum-demo", "Pendulum-v1", 5
EPISODES, EPISODES_FROM = 100, 2_000_000
CLONING_UPDATES = 20_000
ONLINE = OnlineSettings(steps=15_000, reward_scale=8.0, eval_every=15_000)

Cell = dict[str, Any]


def cloned(fraction: float) -> Callable[[Path, int], Cell]:
    """Behaviour cloning of the best episodes, that fraction of them."""

    def make(out: Path, seed: int) -> Cell:
        dataset, plan = load(LOG), make_plan(LOG)
        scaling = problem_of(dataset, plan.settings).scaling
        rows = to_core(dataset.transitions(True, dataset.best_rows(fraction)), jax.device_get(scaling))
        actor, errors = bc.clone(jax.tree.map(jnp.asarray, rows), jax.random.key(seed), updates=CLONING_UPDATES)
        policy = export(actor, scaling, plan.task.env)
        return {"final": final_return(policy, seed), "error": float(errors[-1000:].mean())}

    return make


def trained(method: str) -> Callable[[Path, int], Cell]:
    """A run of the preset with the seed's own ensemble, which the methods share."""

    def make(out: Path, seed: int) -> Cell:
        model = shared_model(STUDY, LOG, seed, out)
        plan = make_plan(LOG, method, model=model, seed=seed)
        run = execute(plan, out / f"{STUDY}-preset-{method}-seed{seed}", resume=True, callback=Lines())
        last, fit = run.metrics[-1], load_model(model).about
        return {
            "final": final_return(run.policy, seed),
            "evaluations": [row["eval/return"] for row in run.metrics if "eval/return" in row],
            "mean_of_last": run.scores["eval/return"]["mean_of_last"],
            "critic_estimate": last["eval/critic_estimate"],
            "discounted_return": last["eval/discounted_return"],
            "conservative_term": last.get("conservative_term", 0.0),
            "fit": {"epochs": fit["epochs"], "holdout": fit["holdout"]},
        }

    return make


def online(out: Path, seed: int) -> Cell:
    """An online learner with the simulator at hand."""
    *_, last = learn(ENV, OnlineSettings(**{**vars(ONLINE), "seed": seed}))
    return {"final": final_return(last.policy, seed)}


def final_return(policy: Policy, seed: int) -> float:
    """The mean return of the finished policy's deterministic episodes, on starts no training has seen."""
    start = EPISODES_FROM + seed * EPISODES
    return float(evaluate(policy, ENV, episodes=EPISODES, seed=start).returns.mean())


CELLS = {
    "bc": cloned(1.0),
    "bc-best": cloned(0.1),
    "sac": trained("sac"),
    "micro": trained("micro"),
    "online": online,
}
TITLES = {
    "bc": "behaviour cloning",
    "bc-best": "behaviour cloning, best 10 % of the episodes",
    "sac": "SAC on the model (beta = 0)",
    "micro": "**MICRO**",
    "online": f"online SAC, {ONLINE.steps:,} steps in the simulator (ceiling)",
}
WITH_MODEL = ("sac", "micro")


TEXT = """# Pendulum: the embedded log

**Question.** Does what `make demo` shows hold on other seeds, and what do simpler learners make of the same log?

**Answer.** {answer}

`pendulum-demo` holds {rows:,} steps in {episodes} episodes of {env}: uniformly random actions, then an
online learner up to its first success. No episode in it comes near the optimum of about -150.

{scores}

Undiscounted returns: mean ± standard deviation (n) over {seeds} seeds (for the log: over its episodes). The finished
policy is run for {final} deterministic episodes a seed, on starts of that seed's own that no training saw: most of
the last column's spread is theirs. A run is evaluated after each of its {epochs} epochs on {evaluation} episodes; the
last ten begin with the sixth, when it has stopped learning. (At first the runs had twelve epochs, so the last ten
held the third to the fifth, in which it still learns. After that was seen the number was raised, so that the score is
one of the finished policy.) SAC on the model and MICRO share each seed's ensemble and differ in beta alone: 0 and
{beta:g}, with {draws} drawn state a member.

Evaluation after each epoch, mean over the seeds:

{curves}

The ensembles were fitted for {fit_epochs} epochs; the mean holdout error of their members was
{holdout} (squared, standardised targets).

{values}

Estimate and return are discounted, from the start of an episode, at the last epoch. The estimate also counts
the entropy bonus, and what follows after the simulator's time limit.

{made}
"""
ANSWER = """It holds: the finished policies of MICRO return {micro:,.0f} over {seeds} seeds, beside {online:,.0f} of an
online learner in the simulator; the log's episodes have {log:,.0f} on average and its best {best:,.0f}, cloning has
{bc:,.0f}. What is conservative in MICRO makes no difference here: SAC on the model has {sac:,.0f}."""

Table = dict[str, list[Cell]]


def finished() -> Table:
    """What is recorded of every cell, seed by seed."""
    known = recorded(STUDY)
    return {name: [known[f"{name}-seed{seed}"]["figures"] for seed in range(SEEDS)] for name in CELLS}


def document(cells: Table) -> str:
    """The page."""
    plan, log = make_plan(LOG), load(LOG).summary()
    fits = [cell["fit"] for cell in cells["micro"]]
    final = {name: float(np.mean([cell["final"] for cell in of])) for name, of in cells.items()}
    assert max(abs(final["micro"] - final[other]) for other in ("sac", "online")) < 5, "write another answer"
    own = [
        ["the log's episodes: mean", "", f"{log.return_mean:,.1f} ± {log.return_std:,.1f}"],
        ["the log's best episode", "", f"{log.return_best:,.1f}"],
    ]
    heads = ["", "mean of the last 10 evaluations", "finished policy"]
    return TEXT.format(
        answer=ANSWER.format(**final, log=log.return_mean, best=log.return_best, seeds=SEEDS),
        rows=log.rows,
        episodes=log.episodes,
        env=ENV,
        scores=table(heads, own + rows_of(cells, ("mean_of_last", "final"))),
        seeds=SEEDS,
        final=EPISODES,
        epochs=plan.settings.epochs,
        evaluation=plan.settings.eval_episodes,
        beta=plan.options.beta,
        draws=plan.options.num_samples,
        curves=curves(cells),
        fit_epochs=", ".join(str(fit["epochs"]) for fit in fits),
        holdout=", ".join(f"{np.mean(fit['holdout']):.2g}" for fit in fits),
        values=values(cells),
        made=made_by(STUDY, "python -m runs.pendulum OUT"),
    )


def rows_of(cells: Table, keys: Sequence[str]) -> list[list[str]]:
    """A line of a table for each method."""
    return [[TITLES[name], *(spread(of, key) for key in keys)] for name, of in cells.items()]


def spread(cells: Sequence[Cell], key: str) -> str:
    """Mean and standard deviation over the seeds; empty where the method has no such figure."""
    figures = [cell[key] for cell in cells if key in cell]
    return f"{np.mean(figures):,.1f} ± {np.std(figures):,.1f}" if figures else ""


def curves(cells: Table) -> str:
    """The mean evaluation after every epoch."""
    means = {name: np.mean([cell["evaluations"] for cell in cells[name]], axis=0) for name in WITH_MODEL}
    heads = ["epoch", *(f"{1 + at}" for at in range(len(means["micro"])))]
    return table(heads, [[TITLES[name], *(f"{value:,.0f}" for value in mean)] for name, mean in means.items()])


def values(cells: Table) -> str:
    """What the critics promised against what came."""
    keys = ("critic_estimate", "discounted_return", "conservative_term")
    heads = ["", "critics' estimate", "return obtained", "conservative term"]
    return table(heads, rows_of({name: cells[name] for name in WITH_MODEL}, keys))


def main(out: Path) -> None:
    """Every cell that is not recorded yet, then the page."""
    for seed in range(SEEDS):
        for name, make in CELLS.items():
            figures = kept(STUDY, f"{name}-seed{seed}", partial(make, out, seed))
            print(name, seed, figures, flush=True)
    write(PAGE, document(finished()))


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
