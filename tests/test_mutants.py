"""The tool that makes small faults: which tests a module's mutants meet, how they run, and the table."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutant_process import Runner
from benchmarks.mutant_tests import MOST_TESTS, nearest
from benchmarks.mutants import AREAS, area_and_count, modules_of, table


def test_every_area_has_modules_and_a_module_has_tests():
    assert all(modules_of(area) for area in AREAS)
    tests = nearest(Path("micro_rl/storage/jsonl.py"))
    assert tests[0] == "tests/test_jsonl.py" and len(tests) == MOST_TESTS == len(set(tests))
    of_data = nearest(Path("micro_rl/data/scaling.py"))
    assert of_data[0] == "tests/data/test_scaling.py" and "tests/data/test_loading.py" in of_data


def test_an_area_may_name_its_count():
    assert (area_and_count("data"), area_and_count("data=82")) == (("data", None), ("data", 82))
    with pytest.raises(ArgumentTypeError, match="dta is none of algorithms, "):
        area_and_count("dta=3")


def test_areas_are_weighed_by_their_mutants():
    rows: list[dict[str, Any]] = [{"area": "data", "outcome": outcome} for outcome in ("killed", "survived")]
    rows += [{"area": "policy", "outcome": "killed"}] * 3
    lines = table(rows, {"data": 3000, "policy": 1000, "storage": 10}).splitlines()
    assert lines[2:] == [
        "| data | 3,000 | 2 | 1 | 1 to 99 % |",
        "| policy | 1,000 | 3 | 3 | 29 to 100 % |",
        "Each area by the mutants it has: 62 of 100 killed.",
    ]


@pytest.mark.slow
def test_tests_run_until_one_fails_or_their_time_is_over(tmp_path: Path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_first.py").write_text(
        "import package\ndef test_sum(): assert package.total(1, 2) == 3\n"
    )
    (tmp_path / "tests" / "test_second.py").write_text("def test_never(): assert False\n")
    (tmp_path / "package.py").write_text("def total(a, b): return a + b\n")
    runner, tests = Runner(), ("tests/test_first.py", "tests/test_second.py")
    assert runner.run(tmp_path, tests[:1], 60)[:2] == (False, "")
    assert runner.run(tmp_path, tests, 60)[:2] == (True, "tests/test_second.py::test_never")
    assert runner.run(tmp_path, tests, 0)[:2] == (False, ""), "the time is over after the first file"
    (tmp_path / "package.py").write_text("def total(a, b): return a - b\n")
    assert runner.run(tmp_path, tests, 60)[:2] == (True, "tests/test_first.py::test_sum")
    names = {"tests/test_first.py::test_sum", "tests/test_second.py::test_never"}
    assert runner.failing(tmp_path, names) == names
    (tmp_path / "package.py").write_text("def total(a, b):\n")
    assert runner.run(tmp_path, tests, 60)[:2] == (True, "tests/test_first.py")
