"""The pendulum table: what cloning, SAC on the model, MICRO and an online learner make of one small log.

`python runs/pendulum_table.py` works cell by cell below out/pendulum/, where each cell is kept as JSON:
stopped and started again it goes on where it was. At the end it writes docs/results/pendulum.md.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.export import export
from micro_rl.algorithms.model_free import bc
from micro_rl.data import Dataset, load
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.policy import Policy
from micro_rl.simulation.evaluation import evaluate
from micro_rl.simulation.online_sac import learn
from micro_rl.simulation.online_settings import OnlineSettings
from micro_rl.training.fitting import Row, fit_model, problem_of
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.runner import execute

LOG, ENV = "pendulum-demo", "Pendulum-v1"
EPISODES, EPISODES_FROM = 100, 2_000_000
CLONING_UPDATES = 20_000
ONLINE = OnlineSettings(steps=15_000, reward_scale=8.0, eval_every=15_000)
DOCUMENT = Path("docs/results/pendulum.md")

Cell = dict[str, Any]


def main() -> None:
    """Every cell that is not there yet, then the document."""
    parser = argparse.ArgumentParser(description="Makes docs/results/pendulum.md.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("out/pendulum"))
    arguments = parser.parse_args()
    table: dict[str, list[Cell]] = {name: [] for name in CELLS}
    for seed in range(arguments.seeds):
        for name, make in CELLS.items():
            table[name].append(kept(arguments.out, name, make, seed))
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(document(load(LOG), table))
    print(DOCUMENT.read_text())


def kept(out: Path, name: str, make: Callable[[Path, int], Cell], seed: int) -> Cell:
    """The cell from its file, or made and filed."""
    file = out / f"{name}-{seed}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(make(out, seed)))
        partial.rename(file)
    cell = json.loads(file.read_text())
    print(f"{name:10} seed {seed}: {cell}", flush=True)
    return cell


def cloned(fraction: float) -> Callable[[Path, int], Cell]:
    """Behaviour cloning of the best episodes, that fraction of them."""

    def make(out: Path, seed: int) -> Cell:
        dataset, plan = load(LOG), make_plan(LOG)
        scaling = problem_of(dataset, plan.settings).scaling
        rows = to_core(dataset.transitions(True, dataset.best_rows(fraction)), jax.device_get(scaling))
        key = jax.random.key(seed)
        actor, errors = bc.clone(jax.tree.map(jnp.asarray, rows), key, updates=CLONING_UPDATES)
        policy = export(actor, scaling, plan.task.env)
        return {"final": final_return(policy, seed), "error": float(errors[-1000:].mean())}

    return make


def trained(method: str) -> Callable[[Path, int], Cell]:
    """A run of the preset with the seed's own ensemble, which the methods share."""

    def make(out: Path, seed: int) -> Cell:
        plan = make_plan(LOG, method, model=fitted(out, seed), seed=seed)
        run = execute(plan, out / f"run-{method}-{seed}", resume=True)
        last = run.metrics[-1]
        return {
            "final": final_return(run.policy, seed),
            "evaluations": [row["eval/return"] for row in run.metrics if "eval/return" in row],
            "mean_of_last": run.scores["eval/return"]["mean_of_last"],
            "critic_estimate": last["eval/critic_estimate"],
            "discounted_return": last["eval/discounted_return"],
            "conservative_term": last.get("conservative_term", 0.0),
            "fit": fit_facts(out, seed),
        }

    return make


def fitted(out: Path, seed: int) -> Path:
    """The seed's ensemble, fitted once."""
    folder = out / f"model-{seed}"
    if not folder.exists():
        plan: Plan = make_plan(LOG, seed=seed)
        problem = problem_of(plan.dataset, plan.settings)
        save_model(folder, fit_model(plan.dataset, problem, plan.settings, seed, told))
    return folder


def told(row: Row) -> None:
    """A line now and then: the fit is the longest part."""
    if row["epoch"] % 10 == 0:
        print(f"fit epoch {row['epoch']:.0f}: holdout {row['holdout/mean']:.2g}", flush=True)


def fit_facts(out: Path, seed: int) -> Cell:
    """How long the fit went on, and the members' holdout errors."""
    about = load_model(fitted(out, seed)).about
    return {"epochs": about["epochs"], "holdout": about["holdout"]}


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


PAGE = """# Pendulum: the embedded log

`pendulum-demo` holds {rows:,} steps in {episodes} episodes of {env}: uniformly random actions, then an
online learner up to its first success. No episode in it comes near the optimum of about -150.

| | mean of the last 10 evaluations | finished policy |
|---|---|---|
| the log's episodes: mean | | {log_mean} |
| the log's best episode | | {log_best:,.1f} |
{scores}

Undiscounted returns: mean ± standard deviation (n) over {seeds} seeds (for the log: over its episodes). The finished
policy is run for {final} deterministic episodes a seed, on starts of that seed's own that no training saw: most of
the last column's spread is theirs. A run is evaluated after each of its {epochs} epochs on {evaluation} episodes; the
last ten begin with the sixth, when it has stopped learning. (At first the runs had twelve epochs, so the last ten
held the third to the fifth, in which it still learns: -212.0 ± 30.9 for MICRO. After that was seen the number was
raised, so that the score is one of the finished policy.) SAC on the model and MICRO share each seed's ensemble and
differ in beta alone: 0 and {beta:g}, with {draws} drawn state a member.

Evaluation after each epoch, mean over the seeds:

{curves}

The ensembles were fitted for {fit_epochs} epochs; the mean holdout error of their members was
{holdout} (squared, standardised targets).

{values}

Estimate and return are discounted, from the start of an episode, at the last epoch. The estimate also counts
the entropy bonus, and what follows after the simulator's time limit.

Made by `python runs/pendulum_table.py`.
"""


def document(dataset: Dataset, table: dict[str, list[Cell]]) -> str:
    """The page of results."""
    plan, log = make_plan(LOG), dataset.summary()
    fits = [cell["fit"] for cell in table["micro"]]
    return PAGE.format(
        rows=log.rows,
        episodes=log.episodes,
        env=ENV,
        log_mean=f"{log.return_mean:,.1f} ± {log.return_std:,.1f}",
        log_best=log.return_best,
        scores=rows_of(table, ("mean_of_last", "final")),
        seeds=len(table["micro"]),
        final=EPISODES,
        epochs=plan.settings.epochs,
        evaluation=plan.settings.eval_episodes,
        beta=plan.options.beta,
        draws=plan.options.num_samples,
        curves=curves({name: table[name] for name in ("sac", "micro")}),
        fit_epochs=", ".join(str(fit["epochs"]) for fit in fits),
        holdout=", ".join(f"{np.mean(fit['holdout']):.2g}" for fit in fits),
        values=values({name: table[name] for name in ("sac", "micro")}),
    )


def rows_of(table: dict[str, list[Cell]], keys: Sequence[str]) -> str:
    """A line of the table for each method."""
    return "\n".join(
        f"| {TITLES[name]} | {' | '.join(spread(cells, key) for key in keys)} |" for name, cells in table.items()
    )


def spread(cells: Sequence[Cell], key: str) -> str:
    """Mean and standard deviation over the seeds."""
    values = [cell[key] for cell in cells if key in cell]
    return f"{np.mean(values):,.1f} ± {np.std(values):,.1f}" if values else ""


def curves(table: dict[str, list[Cell]]) -> str:
    """The mean evaluation after every epoch."""
    means = {name: np.mean([cell["evaluations"] for cell in cells], axis=0) for name, cells in table.items()}
    epochs = range(1, len(means["micro"]) + 1)
    lines = [f"| epoch | {' | '.join(map(str, epochs))} |", "|---" * (len(epochs) + 1) + "|"]
    for name, mean in means.items():
        lines.append(f"| {TITLES[name]} | {' | '.join(f'{value:,.0f}' for value in mean)} |")
    return "\n".join(lines)


def values(table: dict[str, list[Cell]]) -> str:
    """What the critics promised against what came."""
    head = "| | critics' estimate | return obtained | conservative term |\n|---|---|---|---|\n"
    return head + rows_of(table, ("critic_estimate", "discounted_return", "conservative_term"))


if __name__ == "__main__":
    main()
