"""Metrics over the course of training: arrays [seed, epoch], and figures with intervals as files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import micro_rl
from micro_rl.cli.main import run
from micro_rl.errors import UserError
from micro_rl.reports.compare.compared_runs import collect
from micro_rl.reports.compare.figure_files import band, write_figures
from tests.compared_runs import make_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for seed, scores in enumerate(([10.0, 20.0, 30.0], [20.0, 40.0, 60.0], [30.0, 60.0, 90.0])):
        make_run(folder / f"micro-{seed}", seed=seed, scores=scores)
    make_run(folder / "sac-0", "sac", scores=[1.0, 2.0, 3.0])
    make_run(folder / "walker", "sac", "walker", scores=[7.0])
    return folder


def test_values_by_seed_and_epoch(runs: Path):
    micro, sac, walker = micro_rl.curves(runs)
    assert (micro.method, micro.log, micro.key) == ("micro", "hopper", "eval/normalised_score")
    assert micro.seeds.tolist() == [0, 1, 2]
    assert micro.epochs.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(micro.values, [[10, 20, 30], [20, 40, 60], [30, 60, 90]])
    assert (sac.method, sac.values.tolist()) == ("sac", [[1, 2, 3]])
    assert (walker.log, walker.values.tolist()) == ("walker", [[7]])


def test_another_metric_by_its_key(runs: Path):
    [speed] = micro_rl.curves([runs / "sac-0"], "time/updates_per_second")
    assert speed.values.tolist() == [[500, 500, 500]]
    with pytest.raises(UserError, match=r"eval/retrun: no run has this metric \(did you mean 'eval/return'\?\)"):
        micro_rl.curves(runs, "eval/retrun")


def test_nothing_to_read_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(UserError, match="no run is named"):
        micro_rl.curves([])
    make_run(tmp_path / "begun", scores=[], finished=False)
    with pytest.raises(UserError, match="no run was evaluated yet; wait for its first epoch"):
        micro_rl.curves(tmp_path)


def test_the_band_is_students_interval_of_the_mean():
    """Two seeds a and b: the mean, and 12.706 |a - b| / 2 to each side; of one seed nothing is known."""
    interval = band(np.array([[10.0, 20.0, 5.0], [20.0, 20.0, np.nan]]))
    np.testing.assert_allclose(interval.point, [15, 20, 5])
    np.testing.assert_allclose(interval.high, [15 + 12.7062 * 5, 20, np.nan], rtol=1e-5)
    np.testing.assert_allclose(interval.low, [15 - 12.7062 * 5, 20, np.nan], rtol=1e-5)


def test_figures_of_every_log_as_files(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "new" / "figures"
    assert run(["report", str(runs), "--figures", str(folder)]) == 0
    names = [f"curves-{log}.{form}" for log in ("hopper", "walker") for form in ("png", "pdf")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert (folder / names[0]).read_bytes().startswith(b"\x89PNG")
    assert (folder / names[1]).read_bytes().startswith(b"%PDF")
    assert capsys.readouterr().out == "".join(f"figure  {folder / name}\n" for name in names)
    assert run(["report", str(runs), "--figures", str(folder), "--metric", "nothing"]) == 2
    assert "nothing: no run has this metric" in capsys.readouterr().err
    assert run(["report", str(runs), "--metric", "eval/return"]) == 2


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_figures_replace_figures_of_reports_and_no_other_file(tmp_path: Path, form: str):
    """Also where another program drew it with matplotlib."""
    make_run(tmp_path / "runs", scores=[1.0])
    folder, notes = tmp_path / "figures", []
    path = folder / f"curves-hopper.{form}"
    folder.mkdir()
    Figure().savefig(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match=f"curves-hopper.{form}: is there and no such report drew it, or an earlier"):
        write_figures([tmp_path / "runs"], folder, note=notes.append)
    assert path.read_bytes() == before and list(folder.iterdir()) == [path] and not notes
    path.unlink()
    assert write_figures([tmp_path / "runs"], folder) == write_figures([tmp_path / "runs"], folder)


def test_logs_whose_names_come_out_alike_have_files_of_their_own(tmp_path: Path):
    for log in ("a b.csv", "a+b.csv"):
        make_run(tmp_path / "runs" / log, log=log, scores=[1.0])
    assert run(["report", str(tmp_path / "runs"), "--figures", str(tmp_path / "figures")]) == 0
    second = collect([tmp_path / "runs" / "a+b.csv"]).runs[0].log.key[:8]
    names = [f"curves-a_b.csv{digest}.{form}" for digest in ("", f"-{second}") for form in ("png", "pdf")]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(names)


def test_runs_that_a_figure_lacks_or_has_a_part_of_are_named(runs: Path, tmp_path: Path, capsys):
    make_run(runs / "begun", seed=7, scores=[], finished=False)
    make_run(runs / "going", seed=8, scores=[1.0, 2.0], finished=False)
    make_run(runs / "again", seed=0, scores=[1.0])
    (make_run(runs / "torn", seed=9) / "config.json").write_text("{")
    assert run(["report", str(runs), "--figures", str(tmp_path / "figures")]) == 0
    notes = [line.removeprefix("note    ") for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert notes[0] == "again is left out: micro-0 has its settings and its seed"
    assert notes[1] == "begun is left out: it has no such metric, or no finite one (stopped, 0 of 12 epochs done)"
    assert notes[2] == "going is left out: other seeds are finished (stopped, 2 of 12 epochs done)"
    assert notes[3].startswith("left out: ") and "torn" in notes[3] and len(notes) == 4


ENDS = ([60.0] * 3, [40.0, 40.0, 40.0, 40.0])


@pytest.mark.parametrize("finished", [True, False])
def test_a_mean_over_seeds_ends_where_one_of_them_does(tmp_path: Path, monkeypatch, finished: bool):
    """Of 60 and 40 it is 50 up to the third epoch; it fell to 40 at the fourth, though no seed fell."""
    for seed, scores in enumerate(ENDS):
        make_run(tmp_path / "runs" / f"{seed}", seed=seed, scores=scores, finished=finished)
    drawn, notes, plot = [], [], Axes.plot

    def watched(axes: Axes, *lines: np.ndarray, **words: Any) -> None:
        drawn.append([line.tolist() for line in lines])
        plot(axes, *lines, **words)

    monkeypatch.setattr(Axes, "plot", watched)
    write_figures([tmp_path / "runs"], tmp_path / "figures", note=notes.append)
    assert drawn == [[[1, 2, 3], [50, 50, 50]]] * 2
    short = "0 has no value after epoch 3 of 4" if finished else "0 is stopped, 3 of 12 epochs done"
    assert notes[0] == f"{short}: beyond that the mean over seeds is not drawn"
    with pytest.warns(UserWarning, match=f"{short}: beyond that its values are NaN"):
        [curve] = micro_rl.curves(tmp_path / "runs")
    np.testing.assert_array_equal(curve.values[0], [60, 60, 60, np.nan])


def test_seeds_without_a_common_epoch_have_no_mean(tmp_path: Path):
    folder, reason = tmp_path / "runs", "there is no epoch at which every seed has a value"
    for seed, scores in enumerate(([1.0, float("nan")], [float("nan"), 1.0])):
        make_run(folder / f"{seed}", seed=seed, scores=scores)
    with pytest.raises(UserError, match=f"no figure: {reason}; name fewer runs"):
        write_figures([folder], tmp_path / "figures")
    make_run(folder / "sac", "sac", scores=[1.0])
    notes = []
    assert len(write_figures([folder], tmp_path / "figures", note=notes.append)) == 2
    assert notes[-1] == f"micro on hopper is left out: {reason}"


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e308])
def test_figures_that_no_run_has_are_not_drawn(runs: Path, tmp_path: Path, capsys, wrong: float):
    make_run(runs / "wrong", seed=7, scores=[wrong] * 3, finished=False)
    make_run(runs / "partly", seed=8, scores=[5.0, wrong, 5.0])
    assert run(["report", str(runs), "--figures", str(tmp_path / "figures")]) == 0
    note = "wrong is left out: it has no such metric, or no finite one (stopped, 3 of 12 epochs done)"
    assert note in capsys.readouterr().out
    for key in ("eval/return", None):
        with pytest.raises(UserError, match="no run has a finite" if key else "no run was evaluated yet"):
            micro_rl.curves(runs / "wrong", key)


def test_arrays_of_runs_that_are_missing_or_not_finished_come_with_a_warning(runs: Path):
    make_run(runs / "begun", seed=7, scores=[], finished=False)
    make_run(runs / "going", seed=8, scores=[1.0, 2.0], finished=False)
    (make_run(runs / "torn", seed=9) / "config.json").write_text("{")
    with pytest.warns(UserWarning, match="begun is left out: it has no such metric") as caught:
        micro = micro_rl.curves(runs)[0]
    text = str(caught[0].message)
    assert "going is stopped, 2 of 12 epochs done: beyond that its values are NaN" in text and "torn" in text
    assert len(caught) == 1 and "\n" not in text
    np.testing.assert_array_equal(micro.values[micro.seeds.tolist().index(8)], [1, 2, np.nan])


def test_nothing_is_warned_of_where_nothing_is_missing(runs: Path, recwarn):
    assert len(micro_rl.curves(runs)) == 3 and not recwarn.list


def test_the_same_runs_give_the_same_bytes(runs: Path, tmp_path: Path):
    for name in ("a", "b"):
        assert run(["report", str(runs), "--figures", str(tmp_path / name)]) == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
