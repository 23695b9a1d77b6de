"""Runs side by side: who counts where, what the tables say, and what the reader is warned of."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from micro_rl.cli import main as cli
from micro_rl.errors import UserError
from micro_rl.reports.compare import compared as comparison_text
from micro_rl.reports.compare import run_list, score_tables, write_comparison
from micro_rl.reports.compare.aggregate_tables import matrix, pool
from micro_rl.reports.compare.compared_runs import collect
from micro_rl.reports.compare.comparison import Comparison, cautions, compare
from micro_rl.reports.compare.curve_panels import curve, learning_curves
from micro_rl.reports.compare.table import Entry, Table, markdown
from micro_rl.storage.locks import locked
from tests.compared_runs import TASK, make_run


def compared(*paths: Path) -> Comparison:
    return compare(collect(paths))


def words(comparison: Comparison) -> str:
    return " | ".join(cautions(comparison))


def test_the_score_is_the_mean_of_the_seeds_mean_of_the_last_ten_and_never_the_best(tmp_path: Path):
    for seed, level in enumerate((50.0, 60.0, 70.0)):
        make_run(tmp_path / f"micro-{seed}", seed=seed, scores=[99.0, 98.0, *[level] * 10])
    make_run(tmp_path / "sac-0", "sac", scores=[10.0, *[20.0] * 10, 31.0])
    table = score_tables.table(compared(tmp_path))
    assert table.columns == ["method", "hopper"]
    assert table.rows == [
        [Entry("micro"), Entry("60.0", "35.2 to 84.8, 3 seeds")],
        [Entry("sac"), Entry("21.1", "1 seed")],
        [Entry("log’s mean"), Entry("40.0")],
        [Entry("log’s best episode"), Entry("80.0")],
    ]


def test_missing_cells_unfinished_runs_and_short_ones_say_so(tmp_path: Path):
    make_run(tmp_path / "a", "micro", "hopper", scores=[30.0] * 5)
    make_run(tmp_path / "b", "micro", "walker", scores=[10.0, 20.0], finished=False)
    make_run(tmp_path / "c", "sac", "walker", finished=False, scores=[])
    comparison = compared(tmp_path)
    assert [row[1:] for row in score_tables.table(comparison).rows[:2]] == [
        [Entry("30.0", "1 seed, 5 of 12 epochs"), Entry("–", "so far 15.0, 2 of 12 epochs")],
        [Entry("–"), Entry("–", "not finished")],
    ]
    assert "b is not finished: it stopped, with 2 of 12 epochs done. It counts in no mean." in words(comparison)


def test_unfinished_seeds_stay_out_of_the_mean_and_running_ones_are_told(tmp_path: Path):
    make_run(tmp_path / "a", seed=0, scores=[40.0] * 12)
    running = make_run(tmp_path / "b", seed=1, scores=[90.0] * 12, finished=False)
    with locked(running / "lock"):
        comparison = compared(tmp_path)
    (score,) = score_tables.scores(comparison)
    assert (score.mean, len(score.values)) == (40.0, 1) and np.isnan(score.low)
    assert "b is not finished: it is still being trained" in words(comparison)


def test_options_that_differ_make_methods_and_settings_only_where_a_seed_was_repeated(tmp_path: Path):
    make_run(tmp_path / "a", options={"beta": 0.5}, settings={"bc_weight": 0.0})
    make_run(tmp_path / "b", options={"beta": 0.3}, settings={"bc_weight": 0.0})
    make_run(tmp_path / "c", options={"beta": 0.5}, settings={"bc_weight": 0.4})
    make_run(tmp_path / "d", options={"beta": 0.5}, settings={"bc_weight": 0.0, "updates_per_epoch": 500}, seed=1)
    make_run(tmp_path / "e", log="walker", options={"beta": 0.5, "num_samples": 1})
    comparison = compared(tmp_path)
    assert comparison.methods == ["micro, beta 0.5", "micro, beta 0.3", "micro, beta 0.5, bc_weight 0.4"]
    assert [run.name for run in comparison.cell("micro, beta 0.5", comparison.logs[0])] == ["a", "d"]
    assert "The seeds of micro, beta 0.5 on hopper differ in updates_per_epoch." in words(comparison)


def test_logs_are_told_apart_by_their_content(tmp_path: Path):
    make_run(tmp_path / "a", log="hopper")
    make_run(tmp_path / "b", log="hopper", seed=1)
    changed = {"name": "hopper", "sha256": "f" * 64}
    other = make_run(tmp_path / "c", seed=2)
    text = (other / "config.json").read_text().replace(("hopper" * 64)[:64], changed["sha256"])
    (other / "config.json").write_text(text)
    comparison = compared(tmp_path)
    assert [log.name for log in comparison.logs] == ["hopper (hopperho)", "hopper (ffffffff)"]
    assert "2 files are called hopper: their SHA-256 differ" in words(comparison)


def test_a_file_that_is_read_otherwise_is_another_log(tmp_path: Path):
    """With another reward or other rows; how a file is written is no reading."""
    same = {"name": "pump", "sha256": "a" * 64, "rows": 90, "episodes": 1}
    for name, seed, log in (
        ("a", 0, same),
        ("b", 1, same | {"reading": {"delimiter": ","}}),
        ("reward", 0, same | {"reading": {"reward": "-abs(heat)"}}),
        ("cut", 0, same | {"episodes": 9}),
        ("last", 2, same),
    ):
        file = make_run(tmp_path / name, seed=seed) / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"log": log}))
    comparison = compared(*(tmp_path / name for name in ("a", "b", "reward", "cut", "last")))
    cells = [[run.name for run in comparison.cell("micro", log)] for log in comparison.logs]
    assert cells == [["a", "b", "last"], ["reward"], ["cut"]] and comparison.copies == []
    assert [log.name for log in comparison.logs] == [
        "pump (episodes 1)",
        "pump (reward -abs(heat))",
        "pump (episodes 9)",
    ]
    assert "The runs on pump do not read it alike (episodes, reward), so they are compared apart." in words(comparison)
    rows = list(csv.DictReader(io.StringIO(run_list.csv_table(comparison))))
    assert {row["log_sha256"] for row in rows} == {"a" * 64}


def test_a_copy_does_not_count_and_the_longer_of_two_does(tmp_path: Path):
    make_run(tmp_path / "a", scores=[10.0] * 3)
    make_run(tmp_path / "b", scores=[20.0] * 12)
    make_run(tmp_path / "c", scores=[30.0] * 2)
    comparison = compared(tmp_path)
    assert [run.name for run in comparison.cell("micro", comparison.logs[0])] == ["b"]
    assert "a has the settings and the seed of b: it is listed and does not count." in words(comparison)
    assert len(run_list.run_rows(comparison, Path("x.html"))) == 3


def test_other_simulators_time_limits_and_score_ranges_are_apart(tmp_path: Path):
    unscored = {"score_min": None, "score_max": None}
    make_run(tmp_path / "v4", scores=[5.0] * 12)
    make_run(tmp_path / "v5", scores=[13.0] * 12, task=TASK | unscored | {"env": "X-v5"})
    make_run(tmp_path / "short", scores=[1.0] * 12, task=TASK | unscored | {"horizon": 20})
    make_run(tmp_path / "wide", scores=[2.0] * 12, task=TASK | {"score_max": 2000.0})
    make_run(tmp_path / "ends", seed=1, scores=[7.0] * 12, task=TASK | {"termination": None})
    names = ["v5", "short", "wide", "v4", "ends"]
    comparison = compared(*(tmp_path / name for name in names))
    assert comparison.copies == [] and comparison.methods == ["micro"]
    assert [[run.name for run in comparison.cell("micro", log)] for log in comparison.logs] == [
        ["v5"], ["short"], ["wide"], ["v4", "ends"],
    ]  # fmt: skip
    table = score_tables.table(comparison)
    assert table.columns[1:3] == ["hopper in X-v5 up to 1,000 steps (return)", "hopper in X-v1 up to 20 steps (return)"]
    assert table.columns[3].endswith("1,000 steps scored from 0.0 to 2,000.0")
    assert [entry.value for entry in table.rows[0][1:]] == ["130", "10.0", "2.00", "6.00"]
    assert [entry.value for entry in table.rows[1][1:]] == ["400", "400", "40.0", "40.0"]
    assert "The runs on hopper differ in their task" in words(comparison)
    shown = {row.name: row.facts for row in run_list.run_rows(comparison, Path("x.html"))}
    assert (shown["v5"][5], shown["v4"][5]) == ("return 130", "score 5.00")
    assert shown["short"][1] == "hopper in X-v1 up to 20 steps, hopperho" and "does not count" not in shown["v5"][0]
    rows = list(csv.DictReader(io.StringIO(run_list.csv_table(comparison))))
    assert [(row["env"], row["horizon"], row["unit"]) for row in rows[:2]] == [
        ("X-v5", "1000", "return"),
        ("X-v1", "20", "return"),
    ]
    text = comparison_text([tmp_path], "md")
    assert "not measured" not in text and "1 method on 1 log" in comparison_text([tmp_path])


def test_a_return_where_others_have_scores_is_shown_as_one(tmp_path: Path):
    scores = make_run(tmp_path / "b", "sac") / "scores.json"
    scores.write_text(scores.read_text().replace("eval/normalised_score", "eval/other"))
    rows = (tmp_path / "b/metrics.jsonl").read_text().replace("eval/normalised_score", "eval/other")
    (tmp_path / "b/metrics.jsonl").write_text(rows)
    make_run(tmp_path / "a")
    assert score_tables.table(compared(tmp_path)).rows[1] == [Entry("sac"), Entry("–", "return 500")]


def test_other_warnings(tmp_path: Path):
    first, second = make_run(tmp_path / "a"), make_run(tmp_path / "b", seed=1, scores=[5.0] * 6)
    (make_run(tmp_path / "c", "sac", scores=[1.0], finished=False) / "diverged").mkdir()
    make_run(tmp_path / "d", "bc", task=TASK | {"horizon": 500})
    (tmp_path / "e").mkdir()
    (tmp_path / "e/config.json").write_text("{")
    for run in (first, second):
        (run / "model").mkdir()
        page_text = '{"files": {"ensemble.safetensors": {"sha256": "ab"}}}'
        (run / "model/manifest.json").write_text(page_text)
        (run / "model/ensemble.json").write_text('{"epochs": 7, "holdout": [0.2, 0.1]}')
    page_text = words(compared(tmp_path))
    assert "c diverged after 1 of 12 epochs." in page_text
    assert "differ in their task" in page_text and "were not trained equally long" in page_text
    assert "The 2 seeds of micro on hopper up to 1,000 steps share one ensemble" in page_text
    assert "Left out: " in page_text and "e/config.json" in page_text


def test_a_run_that_is_named_itself_must_be_readable(tmp_path: Path):
    (tmp_path / "e").mkdir()
    (tmp_path / "e/config.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        collect([tmp_path / "e"])
    with pytest.raises(UserError, match="no other run"):
        collect([tmp_path])


def test_curves_are_means_over_the_places_that_all_seeds_have(tmp_path: Path):
    make_run(tmp_path / "a", scores=[1.0, 2.0, 3.0])
    make_run(tmp_path / "b", seed=1, scores=[3.0, 6.0])
    make_run(tmp_path / "c", seed=2, scores=[100.0], finished=False)
    comparison = compared(tmp_path)
    drawn = curve("micro", comparison.cells["micro", comparison.logs[0].key], "eval/normalised_score", True)
    assert drawn and drawn.along.tolist() == [1, 2]
    assert drawn.values.tolist() == [[1.0, 2.0], [3.0, 6.0]]
    [(panel, _)] = learning_curves(comparison)
    assert panel.caption.endswith(
        "A mean ends where one of its seeds does (epoch): micro at 2, though others go on to 3."
    )


def test_aggregates_need_seeds_and_logs_and_say_so(tmp_path: Path):
    for method, logs in (("micro", ("hopper", "walker")), ("sac", ("hopper", "walker")), ("bc", ("hopper",))):
        for log in logs:
            for seed in range(3):
                make_run(tmp_path / f"{log}-{method}-{seed}", method, log, seed, [10.0 * seed] * 12)
    pooled = pool(compared(tmp_path))
    assert not isinstance(pooled, str)
    assert list(pooled.scores) == ["micro", "sac"] and pooled.left_out == ["bc"]
    assert pooled.scores["sac"].tolist() == [[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]]
    few = compared(tmp_path / "hopper-bc-0", tmp_path / "hopper-bc-2")
    assert np.array_equal(matrix(few, "bc", few.logs), [[0.0], [20.0]])
    refusal = pool(few)
    assert isinstance(refusal, str) and "at most 2 such seeds on a log, and 1 such log" in refusal


def test_csv_has_a_line_for_each_run_and_starts_no_formula(tmp_path: Path):
    make_run(tmp_path / "=run", "micro", scores=[10.0] * 12)
    make_run(tmp_path / "b", "sac", scores=[20.0, 30.0], finished=False)
    rows = list(csv.DictReader(io.StringIO(comparison_text([tmp_path], "csv"))))
    assert [row["run"] for row in rows] == ["'=run", "b"]
    assert [(row["score"], row["final"], row["best_evaluation"]) for row in rows] == [
        ("10.0", "True", "10.0"),
        ("25.0", "False", "30.0"),
    ]
    assert rows[1]["epochs"] == "2" and rows[1]["planned_epochs"] == "12" and rows[0]["seed"] == "0"


def test_markdown_is_a_table_that_names_cannot_break(tmp_path: Path):
    table = Table("T", "", ["a|b", "c"], [[Entry("x\n| y", "<b>"), Entry("`1`")]])
    assert markdown(table) == "| a\\|b | c |\n|---|---|\n| x \\| y (&lt;b&gt;) | \\`1\\` |"
    make_run(tmp_path / "a", seed=3)
    text = comparison_text([tmp_path], "md")
    assert "| method | hopper |\n|---|---|\n| micro | 50.0 (1 seed) |\n| log’s mean | 40.0 |" in text
    assert "On hopper: 1 run for all of 12 epochs." in text


def test_from_the_command_line(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("micro_rl.reports.run.page.write", lambda folder: folder / "report.html")
    for name in ("a", "b"):
        make_run(tmp_path / "runs" / name, seed=ord(name))
    assert cli.run(["report", "runs/a", "runs/b", "--format", "md"]) == 0
    assert "| micro | 50.0 (50.0 to 50.0, 2 seeds) |" in capsys.readouterr().out
    assert cli.run(["report", "runs", "--out", "table.csv"]) == 0
    assert capsys.readouterr().out == "table    table.csv\n"
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3
    assert cli.run(["report", "runs", "--out", "pages/new/compare.html"]) == 0
    assert capsys.readouterr().out == "page    pages/new/compare.html\n"
    assert cli.run(["report", "runs/a"]) == 0
    assert capsys.readouterr().out == "page    runs/a/report.html\n"


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["--out", "a.md"], "1 run of micro"),
        (["--out", "a.csv"], "run,method"),
        (["--out", "a.htm"], "<!doctype"),
        (["--out", "a", "--format", "csv"], "run,method"),
    ],
)
def test_the_name_says_what_is_written(tmp_path: Path, monkeypatch, words: list[str], start: str):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs/a")
    assert cli.run(["report", "runs", *words]) == 0
    assert Path(words[1]).read_text().startswith(start)


@pytest.mark.parametrize("name", ["a.html", "a.md", "a.csv"])
def test_a_report_replaces_its_own_file_and_no_other(tmp_path: Path, capsys, monkeypatch, name: str):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs/a")
    for text in ("<!doctype html>\n<p>mine", "time,run\n1,2\n", "# Mine\n\nHow long they were trained. On a log.\n"):
        Path(name).write_text(text)
        assert cli.run(["report", "runs", "--out", name]) == 2
        assert capsys.readouterr().err.startswith(f"micro-rl: {name}: is there and micro-rl report did not write it")
        assert Path(name).read_text() == text
    Path(name).unlink()
    assert cli.run(["report", "runs", "--out", name]) == cli.run(["report", "runs", "--out", name]) == 0


@pytest.mark.parametrize("form", ["html", "md", "csv"])
def test_python_replaces_no_other_file_either(tmp_path: Path, form: str):
    make_run(tmp_path / "runs/a")
    path = tmp_path / f"a.{form}"
    path.write_text("mine")
    with pytest.raises(UserError, match="is there and micro-rl report did not write it"):
        write_comparison([tmp_path / "runs"], path, form)
    assert path.read_text() == "mine"
    path.unlink()
    assert write_comparison([tmp_path / "runs"], path, form) == write_comparison([tmp_path / "runs"], path, form)


@pytest.mark.parametrize("here", ["", "runs"])
@pytest.mark.parametrize(
    ("names", "page"),
    [
        (["runs"], "runs/compare.html"),
        (["runs/a", "runs/b"], "runs/compare.html"),
        (["runs/a", "other"], "compare.html"),
    ],
)
def test_the_page_is_written_where_the_runs_are(tmp_path: Path, capsys, monkeypatch, names, page: str, here: str):
    for name in ("runs/a", "runs/b", "other/c"):
        make_run(tmp_path / name, seed=ord(name[-1]))
    monkeypatch.chdir(tmp_path / here)
    assert cli.run(["report", *(os.path.relpath(tmp_path / name) for name in names)]) == 0
    written = capsys.readouterr().out.split()[1]
    assert (tmp_path / here / written).resolve() == tmp_path / page
    assert "2 runs compared" in (tmp_path / page).read_text()


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ([], "name a run"),
        (["nowhere"], "nowhere: is not a run folder"),
        (["nowhere", "runs"], "nowhere: holds no runs"),
        (["runs", "--out", "runs"], "runs: is a folder"),
        (["runs", "--format", "pdf"], "pdf"),
        (["runs", "--out", "fig.png"], "--out fig.png: its name ends in none of .html, .htm, .md, .csv"),
        (
            ["runs", "--out", "a.html", "--format", "csv"],
            "--out a.html: a name that ends in .html is not of --format csv",
        ),
        (["runs", "--figures", "figures", "--out", "a.html"], "--out: no page or table is written beside --figures"),
        (["runs", "--figures", "figures", "--format", "md"], "--format: no page or table is written beside --figures"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path: Path, capsys, monkeypatch, arguments: list[str], remedy: str):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs/a")
    assert cli.run(["report", *arguments]) == 2
    message = capsys.readouterr().err
    assert remedy in message and len(message.splitlines()) == 1
    assert os.listdir() == ["runs"]
