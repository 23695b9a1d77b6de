import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.core.wording import number
from micro_rl.errors import UserError
from micro_rl.reports.run import record, story, write_page, write_report
from micro_rl.reports.run.panels import Panel, beyond_the_limit, conservative_term, entropy_bonus, promise
from micro_rl.storage.jsonl import append_row
from micro_rl.storage.run_folder import RunFolder
from tests.pages import Page, assert_self_contained

CONFIG = {
    "command": "micro-rl train some.npz --method micro",
    "log": {"name": "some-log", "path": "some.npz", "sha256": "ab" * 32, "format": "neorl2-npz"},
    "task": {"env": "X-v1", "horizon": 1000, "termination": "never", "score_min": 0.0, "score_max": 200.0},
    "preset": "generic",
    "method": "micro",
    "options": {"beta": 0.5, "num_samples": 1},
    "settings": {
        "epochs": 12,
        "updates_per_epoch": 10,
        "ensemble_size": 3,
        "num_elites": 2,
        "discount": 0.99,
        "standardise_targets": True,
        "beta": 0.5,
    },
    "model": None,
    "versions": {"micro-rl": "0.1.0", "jax": "0.10.2"},
}
LOG = {"return_mean": 100.0, "return_best": 150.0, "episodes": 20, "normalised_return_mean": 50.0}


def score(value: float, spread: float = 2.0, evaluations: int = 10) -> dict:
    return {
        "mean_of_last": value,
        "std_of_last": spread,
        "evaluations": evaluations,
        "last": value,
        "best": value + 5,
    }


def measured_row(epoch: int) -> dict:
    return {
        "epoch": epoch,
        "conservative_term": 4.0,
        "q/model": 30.0,
        "temperature": 0.5,
        "eval/return": 10.0 * epoch,
        "eval/return_std": 1.0,
        "eval/discounted_return": 20.0,
        "eval/critic_estimate": 26.0,
    }


def fit_row(epoch: int, errors: tuple[float, ...]) -> dict:
    return {"epoch": epoch, "loss": 1.0} | {f"holdout/member{i}": error for i, error in enumerate(errors)}


def make_run(path: Path, rows: list[dict], scores: dict | None, **changes) -> Path:
    folder = RunFolder.create(path / "run", CONFIG | changes)
    for row in rows:
        folder.append_metrics(row)
    for epoch, errors in enumerate([(0.9, 0.8, 0.7), (0.5, 0.6, 0.69)], start=1):
        append_row(folder.path / "fit.jsonl", fit_row(epoch, errors))
    if scores is not None:
        folder.write_scores({"epochs": len(rows), "log": LOG, **scores})
    return folder.path


def measured_run(path: Path, **changes) -> Path:
    rows = [measured_row(epoch) for epoch in range(1, 13)]
    return make_run(path, rows, {"eval/return": score(120.0), "eval/normalised_score": score(60.0)}, **changes)


def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text())


def test_the_page_loads_nothing_and_is_well_formed(tmp_path):
    assert_self_contained(write_report(measured_run(tmp_path)).read_text())


def test_the_page_is_in_the_run_folder_and_always_the_same(tmp_path):
    folder = measured_run(tmp_path)
    path = write_report(str(folder))
    first = path.read_bytes()
    assert path == folder / "report.html"
    assert write_report(folder).read_bytes() == first
    assert not list(folder.glob(".*"))


def test_a_page_replaces_no_other_file(tmp_path):
    """A training that has just finished ends with a note."""
    path, notes = measured_run(tmp_path) / "report.html", []
    path.write_text("mine")
    with pytest.raises(UserError, match="is there and micro-rl report did not write it; move it away"):
        write_report(path.parent)
    write_page(path.parent, notes.append)
    assert path.read_text() == "mine" and len(notes) == 1 and notes[0].startswith(f"no page: {path}")


def test_the_story_of_a_measured_run(tmp_path):
    page = page_of(measured_run(tmp_path))
    assert "Better than the log’s average, not better than its best episode." in page.words
    assert "the policy returns 120 per episode" in page.words
    assert "return 100 on average, 20.0 less than the policy" in page.words
    assert "the best of them returns 150, 30.0 more than the policy" in page.words
    assert "normalised score 60.0" in page.words and "The best single evaluation gave 125." in page.words
    for fact in ("some-log, 20 episodes", "MICRO, beta 0.5, num_samples 1", "12 of 12", "ab" * 32, "jax 0.10.2"):
        assert fact in page.words
    assert CONFIG["command"] in page.words
    for title in ("Learning curve", "Promised and obtained", "Model error", "Conservative term", "Temperature α"):
        assert title in page.words
    assert page.words.count("is not shown") == 1  # the model's report: a run from before there were any


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (151.0, "Better than the best episode"),
        (150.0, "not better than its best episode"),
        (100.5, "not better than its best episode"),
        (100.0, "Just as good as the log’s average"),
        (99.0, "Worse than the log’s average"),
    ],
)
def test_the_verdict(value, sentence):
    assert sentence in story.verdict(value, 100.0, 150.0)


def test_a_difference_within_the_spread_is_called_unreliable(tmp_path):
    rows = [measured_row(1), measured_row(2)]
    page = page_of(make_run(tmp_path, rows, {"eval/return": score(103.0, spread=8.0, evaluations=2)}))
    assert "no less than the distance to the log’s average: do not rely" in page.words
    assert "evaluated 2 times, fewer than the ten" in page.words
    assert "made 2 of its 12 epochs" in page.words


@pytest.mark.parametrize("value", [160.0, 120.0, 100.0, 90.0])
def test_a_single_evaluation_tells_nothing_of_how_evaluations_differ(tmp_path, value: float):
    words = page_of(make_run(tmp_path, [measured_row(1)], {"eval/return": score(value, 0.0, 1)})).words
    assert f"log’s {'best episode' if value > 150 else 'average'} is more than chance is not known." in words
    assert "differ among themselves by" not in words and "best single evaluation" not in words
    assert ("do not put the policy in its place" in words) == (value < 100)


def test_a_policy_worse_than_the_log_is_not_to_be_used(tmp_path):
    page = page_of(make_run(tmp_path, [measured_row(1)], {"eval/return": score(-30.0)}))
    assert "do not put the policy in its place" in page.words and "−30.0" in page.words


def test_without_a_simulator_the_estimate_is_called_one(tmp_path):
    rows = [{"epoch": 1, "model_estimate/return": 170.0, "conservative_term": 1.0}]
    task = CONFIG["task"] | {"env": None}
    page = page_of(make_run(tmp_path, rows, {"model_estimate/return": score(170.0)}, task=task))
    assert "Not measured: this log has no simulator." in page.words
    assert "The model’s own estimate of the return, not a measurement" in page.words
    assert "“Promised and obtained” is not shown" in page.words
    assert "Better than" not in page.words and "the policy’s return" not in page.words


def windows_row(epoch: int, middle: float) -> dict[str, float]:
    ends = {"difference": middle, "low": middle - 5, "high": middle + 5}
    return {"epoch": epoch} | {f"window_estimate/{name}": value for name, value in ends.items()}


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [(20.0, "By that opinion it is better"), (-20.0, "Even by that opinion"), (0.0, "it may be better or worse")],
)
def test_without_a_simulator_windows_are_compared(tmp_path, difference: float, sentence: str):
    scores = {"window_estimate/difference": score(difference), "log": LOG | {"window": 50, "window_return": -3.0}}
    task = CONFIG["task"] | {"env": None}
    run = make_run(tmp_path, [windows_row(1, difference)], scores, task=task)
    words = page_of(run).words
    assert "Not measured: this log has no simulator." in words
    assert "windows of 50 steps" in words and sentence in words
    assert "Better than the best episode" not in words and "put the policy in its place" not in words


def test_a_method_without_the_term_has_no_panel_for_it(tmp_path):
    rows = [{key: value for key, value in measured_row(1).items() if key != "conservative_term"}]
    page = page_of(make_run(tmp_path, rows, {"eval/return": score(120.0)}, method="sac", options={}))
    assert "“Conservative term” is not shown: the method sac has none." in page.words
    assert "term f" not in page.words


def test_an_empty_run_says_why_everything_is_missing(tmp_path):
    page = page_of(RunFolder.create(tmp_path / "run", {"method": "micro"}).path)
    assert "No score yet." in page.words
    assert page.words.count("is not shown") == 4
    assert "svg" not in page.tags


@pytest.mark.parametrize("scores", [None, {"eval/return": score(120.0)}])
def test_a_diverged_run_says_so_and_how_to_go_on(tmp_path, scores):
    """Also where it reported a score before it went on and diverged."""
    run = make_run(tmp_path, [measured_row(1), measured_row(2)], scores)
    (run / "diverged").mkdir()
    words = page_of(run).words
    assert "Diverged." in words and "after 2 of 12 epochs" in words and "--branch" in words
    assert "No score yet" not in words and "has not finished" not in words and "Better than" not in words


def test_values_that_are_not_finite_are_left_out(tmp_path):
    rows = [measured_row(1), measured_row(2) | {"eval/return": math.nan, "temperature": math.inf}]
    page = page_of(make_run(tmp_path, rows, {"eval/return": score(math.nan)}))
    assert "not finite" in page.words and "Learning curve" in page.words


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 1e308])
def test_figures_that_no_run_has_are_left_out_of_every_picture(tmp_path, wrong: float):
    """Of a whole quantity, of one row, and of an interval's end alone."""
    rows = [measured_row(epoch) | {"q/model": wrong} for epoch in (1, 2)]
    rows[1] |= {"conservative_term": wrong, "eval/critic_estimate": wrong}
    page = page_of(make_run(tmp_path / "measured", rows, {"eval/return": score(20.0)}))
    assert "Learning curve" in page.words and "Q on the model’s rows" not in page.words
    scores = {"window_estimate/difference": score(2.0), "log": LOG | {"window": 50, "window_return": -3.0}}
    for missing in ((1,), (1, 2)):
        rows = [windows_row(epoch, 2.0) for epoch in (1, 2)]
        for epoch in missing:
            rows[epoch - 1]["window_estimate/high"] = wrong
        words = page_of(make_run(tmp_path / str(missing), rows, scores, task=CONFIG["task"] | {"env": None})).words
        assert "collects 2.00 more" in words and "the band is" not in words
        assert ("the last lies between −3.00 and 7.00" in words) == (missing == (1,))


def test_everything_is_escaped(tmp_path):
    evil = "</pre><script>alert(1)</script>\"'><b>&amp; $x_1$ {{ 7 * 7 }}"
    page = page_of(
        measured_run(
            tmp_path,
            command=evil,
            log=CONFIG["log"] | {"name": evil},
            method=evil,
            preset=evil,
            notes=[evil],
            mapping=evil,
            columns={"observations": [{"name": evil, "unit": evil, "low": 1, "high": None}], "actions": []},
            options={evil: evil},
            versions={evil: evil},
            settings=CONFIG["settings"] | {evil: evil},
        )
    )
    assert page.open == [] and not {"script", "b"} & set(page.tags)
    assert page.words.count(evil) >= 10


def test_what_is_no_run_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_kept_error_is_the_last_that_gained_more_than_a_percent():
    errors = [(1.0, 1.0), (0.995, 0.5), (0.985, 0.6), (0.98, 0.496)]
    fit = [fit_row(epoch, pair) for epoch, pair in enumerate(errors, start=1)]
    assert record.kept_errors(fit) == {0: 0.985, 1: 0.5}
    assert record.elites(fit, 1) == [1] and record.elites(fit, 2) == [1, 0]


def test_captions_hold_the_last_numbers(tmp_path):
    run = record.read(measured_run(tmp_path))
    gap, term = promise(run), conservative_term(run)
    assert isinstance(gap, Panel) and isinstance(term, Panel)
    assert "the critics expect 26.0 and the policy obtains 20.0: 6.00 too much." in gap.caption
    assert "At the end 4.00, of which β = 0.5 takes off 2.00" in term.caption


def test_a_short_time_limit_explains_part_of_the_gap(tmp_path):
    run = record.read(measured_run(tmp_path, task=CONFIG["task"] | {"horizon": 100}))
    assert "37 % of the value of a steady reward" in beyond_the_limit(run)  # 0.99 ** 100 = 0.366
    assert beyond_the_limit(record.read(measured_run(tmp_path / "long"))) == ""


def test_the_entropy_bonus_in_q_is_said_where_there_is_one(tmp_path):
    plain = record.read(measured_run(tmp_path))
    for counted, words in ((True, " Q also counts the entropy bonus, which no return does."), (False, "")):
        run = plain._replace(config=plain.config | {"settings": plain.settings | {"entropy_in_backup": counted}})
        assert entropy_bonus(run) == words


def test_settings_that_differ_from_the_defaults_are_known():
    assert record.settings_changed({"epochs": 12, "updates_per_epoch": 1000, "hidden_sizes": [256, 256]}) == {"epochs"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1656.54, "1,657"),
        (-163.2, "−163"),
        (48.75, "48.8"),
        (0.58266, "0.583"),
        (12135.0, "12,135"),
        (1e-9, "1.00e−09"),
        (3.2e9, "3.20e+09"),
        (math.nan, "not finite"),
    ],
)
def test_numbers_in_words(value, text):
    assert number(value) == text


@given(st.floats(-1e300, 1e300))
def test_numbers_in_words_are_within_half_a_percent(value):
    read_back = float(number(value).replace("−", "-").replace(",", ""))
    assert math.isclose(read_back, value, rel_tol=0.0051, abs_tol=1e-320)


def test_writing_needs_neither_pyplot_nor_jax_and_importing_no_matplotlib(tmp_path):
    folder = measured_run(tmp_path)
    code = (
        "import json, sys; from micro_rl.reports.run import write_report; early = 'matplotlib' in sys.modules; "
        "write_report(sys.argv[1]); late = [name in sys.modules for name in ('matplotlib.pyplot', 'jax')]; "
        "print(json.dumps([early, *late]))"
    )
    process = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert json.loads(process.stdout) == [False, False, False]


def test_what_an_interval_says_by_the_models_own_opinion():
    assert story.opinion(0.1, 2.0) == "By that opinion it is better."
    assert story.opinion(-2.0, -0.1) == "Even by that opinion it does worse than what made the log."
    assert "better or worse" in story.opinion(-1.0, 1.0)
