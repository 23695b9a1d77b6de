"""The page of a comparison: all of it at once, safe from what folders say, for a phone and for print."""

import json
import re
from pathlib import Path

import pytest

from micro_rl.reports.compare import compared, write_comparison
from micro_rl.reports.compare.palette import bend, drawable, styles
from tests.compared_runs import TASK, add_fit, add_robust, make_run
from tests.pages import Page, assert_self_contained

EVIL = "</td><script>alert(1)</script>\"'><b>&amp; $x_1$ {{ 7 * 7 }}"


def returns(group: str, at: dict[str, float]) -> list[float] | None:
    if at == {"friction": 2.0, "gravity": 0.8}:
        return None
    return [500.0 - 1000.0 * at.get("epsilon", 0.0), 600.0]


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> str:
    """Two methods with three seeds on two logs, a third that went astray, one unfinished, and robustness results."""
    home = tmp_path_factory.mktemp("compare")
    for method, level in (("micro", 60.0), ("sac", 40.0)):
        for log in ("hopper", "walker"):
            for seed in range(3):
                run = make_run(home / f"{log}-{method}-{seed}", method, log, seed, [level + seed] * 12)
                if log == "hopper" and seed < 2:
                    add_robust(run, returns)
    add_fit(home / "hopper-micro-0")
    make_run(home / "hopper-mopo-0", "mopo", "hopper", 0, [-1531.0] * 12)
    make_run(home / "hopper-bc-0", "bc", "hopper", 0, [20.0] * 3, finished=False)
    (home / "hopper-sac-0/report.html").write_text("its own page")
    return write_comparison([home], home / "compare.html").read_text()


def test_it_loads_nothing_and_is_well_formed(html: str):
    assert_self_contained(html)


def test_every_part_is_there(html: str):
    page = Page(html)
    for words in (
        "4 methods on 2 logs, 1 to 3 seeds each.",
        "hopper-bc-0 is not finished",
        "On hopper: 7 runs for all of 12 epochs, 1 run for 3 of 12 epochs so far, not finished.",
        "61.0 58.5 to 63.5, 3 seeds",
        "Beyond ±100 the axis is logarithmic",
        "Over hopper, walker, with 95 % intervals (bootstrap over seeds within each log). Left out",
        "micro over sac on 2 logs 1.00 6 20.0 20.0 to 20.0",
        "With fewer than 10 seeds on a log, here 3, these intervals are too narrow",
        "Attacks were made with each policy’s own critic.",
        "1 cell of micro still missing.",
        "The framed cell is the undisturbed simulator.",
        "friction by gravity micro, 2 seeds, 10 of 12 cells",
        "min Q attack micro, 2 seeds 55.0 55.0 to 55.0 50.0 50.0 to 50.0 45.0 45.0 to 45.0 30.0 30.0 to 30.0 50.0",
        "2 0.200 0.250 – – 1 run hopper-micro-0",  # members, the errors of the fit's second epoch
        "micro hopper 33.3 72.0 seconds 12 epochs",  # a million updates at 500 a second
    ):
        assert words in page.words, words
    assert page.words.count("Performance profile") == 1 and page.words.count("optimality gap") == 2


def test_links_are_relative_paths_to_the_runs_own_pages(html: str):
    assert re.findall(r'<a href="([^"]*)">', html) == ["hopper-sac-0/report.html"]


def test_it_fits_a_phone_and_prints(html: str):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert html.count("<table") == html.count('<div class="scroll"') > 5
    assert not re.search(r"<svg[^>]*\b(width|height)=", html)
    assert "@media print" in html and ".scroll { overflow: visible }" in html
    assert html.count('class="narrow"') == html.count('class="wide"') > 0


def test_everything_is_escaped(tmp_path: Path):
    run = make_run(tmp_path / "a <b>&amp;", EVIL, EVIL, options={"<i>": EVIL}, versions={"micro-rl": EVIL})
    make_run(tmp_path / "c", EVIL, EVIL, seed=1, options={"<i>": "other"})
    groups = [{"name": EVIL, "axes": [{"name": EVIL, "values": [0.0, 1.0]}]}]
    pairs = [{"name": "two", "axes": [{"name": EVIL, "values": [0.0, 1.0]}, {"name": "漢", "values": [1.0]}]}]
    add_robust(run, lambda group, at: [1.0, 2.0], groups + pairs, lambda group, at: EVIL, protocol="p", critic=EVIL)
    (run / "report.html").write_text("")
    page = Page(compared([tmp_path], page=tmp_path / "compare.html"))
    assert page.open == [] and not {"script", "b", "i"} & set(page.tags)
    assert page.words.count("alert(1)") >= 8
    assert [value for name, value in page.attributes if name == "href"] == ["a%20%3Cb%3E%26amp%3B/report.html"]


def test_one_run_and_runs_that_nobody_measured(tmp_path: Path):
    make_run(tmp_path / "a", scores=[1.0] * 12, task=TASK | {"score_min": None, "score_max": None})
    words = Page(compared([tmp_path / "a"])).words
    assert "1 method on 1 log, 1 seed each." in words and "hopper (return)" in words and "10.0 1 seed" in words
    assert "There is only one method" in words and "Aggregates over logs are left out" in words
    empty = make_run(tmp_path / "c", "bc", scores=[], finished=False)
    (empty / "scores.json").write_text('{"epochs": 12, "log": {"return_mean": 1.0, "return_best": 2.0}}')
    words = Page(compared([tmp_path / "c"])).words
    assert "not measured" in words and "micro-rl trust judges these policies by their log. Returns." in words
    assert "log’s mean 1.00" in words


def test_what_models_say_stands_beside_what_nobody_measured(tmp_path: Path):
    for seed, gain in enumerate((0.5, 1.5)):
        run = make_run(tmp_path / f"{seed}", seed=seed, scores=[], finished=False)
        told = {"mean_of_last": gain, "std_of_last": 0.0, "evaluations": 1, "last": gain, "best": gain}
        scores = {"epochs": 12, "log": {"return_mean": 1.0, "return_best": 2.0}, "window_estimate/difference": told}
        (run / "scores.json").write_text(json.dumps(scores))
    words = Page(compared([tmp_path / "0", tmp_path / "1"])).words
    assert "not measured gain a window, by a model’s opinion: 1.00, 0.500 to 1.50, 2 seeds" in words


def test_looks_differ_and_names_can_be_drawn():
    looks = styles([f"method {place}" for place in range(24)])
    assert len({(look.colour, look.dash) for look in looks.values()}) == 24
    assert drawable("a$b\n漢") == r"a\$b??"
    assert len(drawable("x" * 99)) == 30


def test_an_axis_is_bent_only_for_what_went_astray():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert bend(axes, [-50.0, 150.0], 100.0) == "" and axes.get_yscale() == "linear"
    assert "Beyond ±100" in bend(axes, [-1531.0, 70.0], 100.0) and axes.get_yscale() == "symlog"
    assert axes.get_yticks().tolist() == [-1000.0, -100.0, -50.0, 0.0, 50.0, 100.0]
