"""The card's table without a card: what its tests are told, what becomes of failures."""

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import device_tests, gpu, population
from benchmarks.device_tests import Outcome, outcome, platforms
from benchmarks.overlap import Overlap
from benchmarks.population_table import LeftOut, Line, failed, markdown
from benchmarks.workload import QUICK
from micro_rl.training.plan import Plan

LINE = Line("SAC", 1, waited=1.0, queued=0.5, busy=None, compiled=3.0, operations=1e12, planned=2**29, peak=2**30)


def test_a_card_is_named_with_its_maker_and_the_processor_beside_it():
    assert platforms("gpu") == "cuda,cpu"
    assert platforms("cpu") == "cpu"


def answering(monkeypatch: pytest.MonkeyPatch, code: int, output: str, warned: str = "") -> list[dict[str, Any]]:
    """pytest ends with this code and these words; returns what each of its processes was given."""
    given: list[dict[str, Any]] = []

    def run(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        given.append({"command": command, **more})
        return subprocess.CompletedProcess(command, code, output, warned)

    monkeypatch.setattr(device_tests.subprocess, "run", run)
    return given


def test_passed_tests_are_one_line(monkeypatch: pytest.MonkeyPatch):
    given = answering(monkeypatch, 0, "....\n114 passed in 9 s\n")
    assert outcome(True, 7.0) == Outcome(True, "114 passed in 9 s", "")
    (process,) = given
    assert process["timeout"] == 7.0
    assert next(word for word in process["command"] if word.endswith(".py")).endswith(device_tests.TESTS[0])
    assert process["env"]["MICRO_RL_TEST_PLATFORM"] == "cpu"


def test_failed_tests_are_named(monkeypatch: pytest.MonkeyPatch):
    traceback = [f"line {number}" for number in range(200)]
    answering(monkeypatch, 1, "\n".join([*traceback, "FAILED tests/test_networks.py::test_x - off", "1 failed in 9 s"]))
    result = outcome(False, 7.0)
    assert not result.passed and result.summary == "1 failed in 9 s (exit code 1)"
    assert "FAILED tests/test_networks.py::test_x" in result.account
    assert len(result.account.splitlines()) == device_tests.SHOWN


def test_what_keeps_the_tests_from_running_is_told(monkeypatch: pytest.MonkeyPatch):
    answering(monkeypatch, 4, "", "ImportError: No module named 'beartype'")
    assert "beartype" in outcome(False, 7.0).account


def test_tests_that_do_not_end_are_stopped(monkeypatch: pytest.MonkeyPatch):
    def run(command: list[str], **more: Any) -> None:
        raise subprocess.TimeoutExpired(command, more["timeout"], output=b"..F\n")

    monkeypatch.setattr(device_tests.subprocess, "run", run)
    assert outcome(False, 7.0) == Outcome(False, "not finished within 7 s", "..F\n")


@pytest.mark.parametrize(("passed", "ran"), [(True, True), (False, True), (True, False)])
def test_the_table_is_made_whatever_the_tests_and_the_run_said(
    passed: bool, ran: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["gpu", "--methods", "MICRO, 1 draw"])
    monkeypatch.setattr(gpu, "outcome", lambda *_: Outcome(passed, "so it went", "" if passed else "FAILED test_x"))
    monkeypatch.setattr(gpu, "every_line", lambda names, *_: iter([LINE] * len(names)))

    def overlap(plan: Plan) -> Overlap:
        if ran:
            return Overlap(3.0, 2.0)
        raise ModuleNotFoundError("no mujoco")

    monkeypatch.setattr(gpu, "overlap", overlap)
    assert gpu.main() == (0 if passed and ran else 1)
    output = capsys.readouterr().out
    assert "tests on it: so it went" in output and ("FAILED test_x" in output) is not passed
    run = "one after the other 3.00 s, together 2.00 s, 1.50 times as fast" if ran else "ModuleNotFoundError: no mujoco"
    assert run in output
    assert "| SAC | 1 | 1.000 |" in output and "--methods 'MICRO, 1 draw'`" in output


def test_a_line_that_fails_says_so_and_the_others_are_measured(monkeypatch: pytest.MonkeyPatch):
    def measure(name: str, runs: int, *_: Any) -> Line:
        if runs == 2:
            raise RuntimeError("unspecified launch failure\nand more")
        return LINE._replace(method=name, runs=runs)

    monkeypatch.setattr(population, "measure", measure)
    lines = list(population.every_line(["SAC"], [1, 2, 4], QUICK, 1.0, False))
    assert [type(line) for line in lines] == [Line, LeftOut, Line]
    assert lines[1].cells(1000)[2] == "failed: RuntimeError: unspecified launch failure"
    assert failed(lines) and not failed(lines[::2])


def test_lines_that_there_is_no_time_for_are_left_out_and_named(monkeypatch: pytest.MonkeyPatch):
    now = 0.0

    def measure(name: str, runs: int, *_: Any) -> Line:
        nonlocal now
        now += 4.0
        return LINE._replace(method=name, runs=runs)

    monkeypatch.setattr(population, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(population, "measure", measure)
    lines = list(population.every_line(["SAC", "MICRO, 1 draw"], [1, 2], QUICK, 1.0, False, until=8.5))
    assert [type(line) for line in lines] == [Line, LeftOut, Line, LeftOut]
    page = markdown(lines, 1000, "command", {"device": "none"})
    assert "| MICRO, 1 draw | 2 | left out for time |" in page
    columns = [line.count(" |") for line in page.splitlines() if line.startswith("| ")]
    assert len(set(columns)) == 1
