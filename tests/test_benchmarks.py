"""The counted floating-point operations against the compiler's own cost analysis, and the sums behind a profile.

Nothing is timed here.
"""

from pathlib import Path

import jax
import pytest

from benchmarks import __main__ as speed
from benchmarks import flops, history, machine, table
from benchmarks.mapped import plans
from benchmarks.measure import Figure
from benchmarks.methods import with_model
from benchmarks.profile import Span, own_time, stage
from benchmarks.workload import ACT, KEYS, OBS, QUICK, hopper, learners, make_problem, nets, updates
from micro_rl.algorithms import epoch
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import TrainState, start
from micro_rl.algorithms.model_based import micro, mobile, sac_on_model
from micro_rl.algorithms.slots import Method
from micro_rl.core.types import Problem
from micro_rl.dynamics.fit_epoch import finish_fit, fit_epoch, start_fit
from micro_rl.dynamics.termination_rules import ByRule, never

ROWS = 1000
MORE_THAN_MATMULS = 0.03
"""What the compiler counts besides products, as a share of them: activations, draws, losses, the optimiser."""
MORE_IN_CLOSED_FORM = 0.05
"""The same of f by moments: tails of the normal for every hidden unit of every member's critics."""


def compiler_count(lowered: jax.stages.Lowered) -> float:
    """The optimised program's; code generation itself may be careless. A loop's body counts once."""
    compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": "0"})
    analysis = compiled.cost_analysis()
    assert analysis is not None
    return analysis["flops"]


def one_epoch(method: Method, **overrides) -> tuple[jax.stages.Lowered, flops.Sizes]:
    settings = hopper(updates_per_epoch=1, rollout_length=1, **overrides)
    sizes = settings.sizes()

    def begin(problem: Problem) -> TrainState:
        ensemble = finish_fit(start_fit(problem.log, settings.fit_sizes(), KEYS.fit))  # pyright: ignore[reportArgumentType]
        return start(problem, ensemble, method, sizes, 1.0, KEYS)

    problem = make_problem(ROWS)
    c = coefficients(settings, ACT)
    state = jax.eval_shape(begin, problem)
    return epoch.compiled_epoch.lower(state, method, problem, c, KEYS.epochs, sizes=sizes, ends=ByRule(never)), sizes


MICRO, MOBILE = micro.build(micro.Options(num_samples=1)), mobile.build(mobile.Options(num_samples=1))


@pytest.mark.parametrize("method", [MICRO, pytest.param(MOBILE, marks=pytest.mark.slow)])
def test_epoch_with_one_draw(method: Method):
    lowered, sizes = one_epoch(method, rollout_batch_size=256)
    counted = flops.epoch(sizes, nets(hopper()), draws=1)
    assert counted < compiler_count(lowered) < (1 + MORE_THAN_MATMULS) * counted


def test_fitting_epoch_of_one_batch():
    sizes = hopper(model_batch_size=800).fit_sizes()
    problem = make_problem(ROWS)
    state = jax.eval_shape(lambda log: start_fit(log, sizes, KEYS.fit), problem.log)
    lowered = jax.jit(fit_epoch, static_argnames="sizes").lower(state, problem.log, sizes=sizes, key=KEYS.fit)
    counted = flops.fit_epoch(sizes, nets(hopper()), ROWS)
    assert counted < compiler_count(lowered) < (1 + MORE_THAN_MATMULS) * counted


@pytest.mark.parametrize(
    ("method", "draws", "values"),
    [
        (sac_on_model.build(sac_on_model.Options()), None, "draws"),
        (micro.build(micro.Options(num_samples=0)), 0, "draws"),
        (micro.build(micro.Options(num_samples=10)), 10, "draws"),
        (micro.build(micro.Options(num_samples=10, values="moments")), 10, "moments"),
        (micro.build(micro.Options(num_samples=10, values="linear")), 10, "linear"),
        (mobile.build(mobile.Options(num_samples=0)), 0, "draws"),
        (mobile.build(mobile.Options(num_samples=10)), 10, "draws"),
    ],
)
def test_update_grows_with_the_draws_as_lowered(
    method: Method, draws: int | None, values: str, monkeypatch: pytest.MonkeyPatch
):
    # The draws' loop would count once: unrolled into one batch they count as often as they run.
    monkeypatch.setattr(jax.lax, "map", lambda function, xs: jax.vmap(function)(xs))
    lowered, sizes = one_epoch(method, rollout_batch_size=250)
    counted = flops.epoch(sizes, nets(hopper()), draws, values)
    analysis = lowered.cost_analysis()
    assert analysis is not None
    more = MORE_IN_CLOSED_FORM if values == "moments" else MORE_THAN_MATMULS
    assert counted < analysis["flops"] < (1 + more) * counted


def test_counts_by_hand():
    small = flops.networks(obs=2, act=1, hidden=(4,), model_hidden_sizes=(5,))
    assert small == flops.Networks(actor=(2, 4, 2), critic=(3, 4, 1), member=(3, 5, 6))
    assert flops.forward(10, small.actor) == 2 * 10 * (2 * 4 + 4 * 2)
    assert flops.learn(10, small.critic) == 2 * (2 * 10 * (3 * 4 + 4)) + 2 * 10 * 4
    settings = hopper(
        batch_size=20,
        num_elites=3,
        num_critics=2,
        rollout_batch_size=10,
        rollout_length=4,
        updates_per_epoch=6,
        rollout_every=2,
    )
    sizes = settings.sizes()
    assert flops.candidates(sizes, small, 0) == flops.candidates(sizes, small, 1) == 2 * 57 * (15 + 30 + 16 + 2 * 16)
    assert flops.candidates(sizes, small, 7, "moments") == 2 * 57 * (15 + 30 + 3 * (16 + 2 * 16))
    assert flops.candidates(sizes, small, 7, "linear") == 2 * 57 * (15 + 30) + 2 * 19 * 3 * (16 + 2 * 16)
    assert flops.rollout(sizes, small) == 4 * (2 * 10 * 16 + 3 * 2 * 4 * 45)
    assert flops.epoch(sizes, small, None) == 3 * flops.rollout(sizes, small) + 6 * flops.update(sizes, small, None)


def test_last_batch_is_filled_up():
    sizes = hopper(model_batch_size=300, holdout_rows=100).fit_sizes()
    assert flops.fit_rows(sizes, 1000) == (900, 100)
    assert flops.fit_rows(sizes, 1001) == (1200, 100)
    assert flops.fit_rows(sizes, 100) == (80, 20)


def test_published_update_is_what_its_sizes_say():
    sizes = hopper().sizes()
    counted = [flops.update(sizes, nets(hopper()), draws) for draws in (None, 1, 10)]
    assert [round(count / 1e9, 2) for count in counted] == [0.56, 1.38, 5.97]
    assert (OBS, sizes.batch_size, sizes.real_rows) == (11, 256, 12)


def test_a_span_counts_without_the_spans_inside_it():
    spans = [Span("inner", 2, 3), Span("outer", 0, 10), Span("deep", 3, 1), Span("next", 10, 5), Span("last", 6, 4)]
    assert sorted(own_time(spans)) == [("deep", 1), ("inner", 2), ("last", 4), ("next", 5), ("outer", 3)]


def test_a_step_belongs_to_the_nearest_named_stage_around_it():
    assert stage(["_affine", "q_values", "critic_loss", "update.<locals>.regularized", "update"]) == "critics' loss"
    assert stage(["_affine", "candidate_values.<locals>.one_draw", "candidate_values", "targets"]) == "candidate values"
    assert stage(["sample_ensemble", "rollout.<locals>.step", "rollout", "_rollout_and_updates"]) == "rollout"
    assert stage(["epoch"]) == "else"


def test_processors_of_one_name_are_told_apart_where_the_system_knows_more():
    assert machine.processor({"model name": "P"}) == "P"
    assert machine.processor({"model name": "P", "cpu family": "25", "model": "17"}) == "P, family 25, model 17"


@pytest.mark.parametrize(
    ("commit", "named"), [("0123456789abcdef with changes", "0123456789 with changes"), (None, "unknown")]
)
def test_a_commit_is_shortened_and_its_changes_are_not(commit: str | None, named: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "commit", lambda: commit)
    assert machine.code() == named and machine.describe()["measured"].endswith(f"commit {named}")


def test_figures_stand_beside_the_last_ones_of_the_same_machine(tmp_path: Path):
    path, mine = tmp_path / "history.jsonl", {"processor": "P", "cores": "2", "software": "then"}
    assert "No earlier result" in history.against_last([], mine, path)
    row = table.Row("update", Figure(4.0, 3.0, 5.0), "ms", share=Figure(0.5, 0.4, 0.6))
    history.add([row], mine, path)
    history.add([row._replace(value=Figure(1.0, 1.0, 1.0))], mine | {"cores": "64"}, path)
    now = row._replace(value=Figure(2.0, 1.0, 3.0), share=Figure(0.75, 0.7, 0.8))
    comparison = history.against_last([now], mine | {"software": "now"}, path)
    assert "(then)" in comparison
    assert "update: 0.50 of its ms, 1.50 of its share" in comparison


@pytest.mark.parametrize(("words", "kept"), [([], 1), (["--quick"], 0)])
def test_every_whole_run_is_recorded(words: list[str], kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    row = table.Row("update", Figure(4.0, 3.0, 5.0), "ms")
    monkeypatch.setattr(history, "PLACE", tmp_path / "history.jsonl")
    monkeypatch.setattr(speed, "measure", lambda *_: [row])
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    speed.main()
    assert len(history.PLACE.read_text().splitlines() if history.PLACE.exists() else []) == kept


def test_a_run_stands_beside_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(history, "PLACE", tmp_path / "history.jsonl")
    monkeypatch.setattr("sys.argv", ["benchmarks"])
    for median in (4.0, 2.0):
        row = table.Row("update", Figure.of([median]), "ms")
        monkeypatch.setattr(speed, "measure", lambda *_, row=row: [row])
        speed.main()
    assert "update: 0.50 of its ms" in capsys.readouterr().out


@pytest.mark.slow
def test_methods_of_one_formula_are_counted_alike():
    counts = {label: with_model(label, QUICK).flops for label in ("MICRO, 1 draw", "MOBILE, 1 draw", "MOPO")}
    assert counts["MICRO, 1 draw"] == counts["MOBILE, 1 draw"] > 0 == counts["MOPO"]


def test_every_learner_of_the_speed_table_has_its_share():
    scale = QUICK._replace(log_rows=ROWS)
    cases = {name: updates(make_problem(ROWS), scale, name) for name in learners()}
    assert cases["mobile10"].flops == cases["micro10"].flops > cases["micro1"].flops > cases["sac"].flops > 0
    assert cases["mobile10"].label == "update, MOBILE, 10 draws"


@pytest.mark.slow
def test_a_map_over_runs_holds_their_buffers_once_more_than_one_program_of_them():
    alone, together, mapped = plans(2, QUICK.log_rows, updates_per_epoch=4, rollout_batch_size=20_000).values()
    assert alone < together < mapped
