"""The authors' recorded updates and early stops come out of the project's own functions."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Transition
from micro_rl.dynamics.fit_epoch import Patience, finish_fit, start_fit, unfinished
from tests import golden

VECTORS = Path(__file__).parent / "vectors"
STOPS = json.loads((VECTORS / "early_stopping.json").read_text())


@pytest.mark.parametrize("name", ["micro_auto_alpha", "micro_fixed_alpha"])
def test_every_recorded_quantity_comes_out(name: str):
    with jax.default_matmul_precision("highest"):  # as the script does: nothing is compiled twice
        errors = golden.check_file(VECTORS / f"{name}.npz")
    past = {key: value for key, value in errors.items() if not value <= golden.tolerance(key)}
    assert past == {}
    kinds = {key.split("/")[0] for key in errors}
    assert kinds == set(golden.TOLERANCES) - ({"alpha"} if name == "micro_fixed_alpha" else set())


def with_changes(folder: Path, **changes: float) -> str:
    """A recorded file in which some numbers are others."""
    arrays = dict(np.load(VECTORS / "micro_fixed_alpha.npz"))
    arrays |= {key: np.asarray(value, arrays[key].dtype) for key, value in changes.items()}
    np.savez(folder / "changed.npz", **arrays)
    return str(folder / "changed.npz")


@pytest.mark.parametrize(
    ("changes", "caught", "untouched"),
    [
        ({"beta": 0.0}, "target/unclamped", "f"),
        ({"gamma": 0.98}, "target/unclamped", "f"),
        ({"tau": 0.02}, "change/target0/layer0/weight", "gradient/critic0/layer0/weight"),
    ],
)
def test_a_mistake_is_caught_and_named(tmp_path: Path, capsys, changes, caught: str, untouched: str):
    assert golden.main([with_changes(tmp_path, steps=1, **changes)]) == 1
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert "FAILED" in lines[caught]
    assert "FAILED" not in lines[untouched]


def test_the_script_ends_well_on_the_untouched_file(capsys):
    assert golden.main([str(VECTORS / "micro_fixed_alpha.npz")]) == 0
    output = capsys.readouterr().out
    assert "FAILED" not in output
    assert "attack/*: not checked here" in output


def test_without_a_file_it_says_how_it_is_used(capsys):
    assert golden.main([]) == 2
    assert capsys.readouterr().err == "usage: python tests/golden.py FILE...\n"


@pytest.mark.parametrize("kept", [None, 0, 100, 20_000])
def test_a_file_that_is_missing_or_damaged_is_one_line(tmp_path: Path, capsys, kept: int | None):
    path = tmp_path / "torn.npz"
    if kept is not None:
        path.write_bytes((VECTORS / "micro_fixed_alpha.npz").read_bytes()[:kept])
    assert golden.main([str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"{path}: cannot be replayed (")
    assert captured.err.count("\n") == 1


def test_a_file_of_something_else_is_one_line(tmp_path: Path, capsys):
    np.savez(tmp_path / "other.npz", some=np.zeros(3))
    assert golden.main([str(tmp_path / "other.npz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_error_is_relative_to_the_largest_golden_value():
    assert golden.error([1.0, -4.0], [1.5, -4.0]) == pytest.approx(0.125)
    assert golden.error([1e-6], [0.0]) == pytest.approx(1.0)


# Early stopping


def blank_fit(members: int, patience: int, max_epochs: int | None):
    """A fit that has not begun, with the member's number for its weights."""
    settings = ModelSettings(ensemble_size=members, model_hidden_sizes=(), weight_decay=(0.0,), patience=patience)
    sizes = settings.fit_sizes()._replace(max_epochs=max_epochs or 10**6)
    rows = Transition(jnp.ones((5, 1)), jnp.ones((5, 1)), jnp.ones(5), jnp.ones((5, 1)), jnp.ones(5))
    state = jax.jit(start_fit, static_argnums=1)(rows, sizes, jax.random.key(0))
    numbered = jax.tree.map(
        lambda leaf: jnp.broadcast_to(jnp.arange(members).reshape(-1, *[1] * (leaf.ndim - 1)), leaf.shape) * 1.0,
        state.best,
    )
    return state._replace(best=numbered), sizes


@pytest.mark.parametrize("case", STOPS, ids=range(len(STOPS)))
def test_early_stopping_as_recorded(case):
    errors = jnp.asarray(case["holdout_mse"], jnp.float32)
    state, sizes = blank_fit(errors.shape[1], case["patience"], case["max_epochs"])
    see = jax.jit(Patience.see)
    while unfinished(state, sizes):
        patience, _ = see(state.patience, errors[state.epoch], state.epoch)
        state = state._replace(patience=patience, epoch=state.epoch + 1)
    assert int(state.epoch) == case["epochs_run"]
    assert state.patience.epoch.tolist() == case["best_epoch"]
    order = finish_fit(state).members.net.biases[0][:, 0].astype(int).tolist()
    assert order[: len(case["elites"])] == case["elites"]


def test_the_recorded_stops_are_of_every_kind():
    stopped = {(case["max_epochs"] is None, case["epochs_run"] == case["max_epochs"]) for case in STOPS}
    assert (True, False) in stopped
    assert (False, True) in stopped
