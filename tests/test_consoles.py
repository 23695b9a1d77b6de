"""Consoles that lack letters, folders that cannot be written, homes that are not there: none of them ends the work."""

import io
import json
import logging
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from micro_rl.cli import main as cli
from tests.tiny_runs import OF_ANY, options, write_log

ROOT = Path(__file__).parent.parent
NAME = "Öl-лог"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_log(tmp_path_factory.mktemp("log") / f"{NAME}.hdf5"))


class Screen(io.TextIOWrapper):
    """A console with an encoding, as Python makes it: what it lacks raises."""

    def __init__(self, encoding: str):
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding, "strict")

    def text(self, encoding: str | None = None) -> str:
        self.flush()
        return self.bytes.getvalue().decode(encoding or self.encoding)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch):
    def as_stdout(encoding: str) -> Screen:
        made = Screen(encoding)
        monkeypatch.setattr(sys, "stdout", made)
        return made

    return as_stdout


@pytest.fixture(scope="module")
def trained(log: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every line was printed on a console with few letters."""
    out, before = tmp_path_factory.mktemp("runs") / NAME, sys.stdout
    sys.stdout = latin = Screen("latin-1")
    try:
        with pytest.MonkeyPatch.context() as patch:  # its page's charts take longer than the run
            patch.setattr("micro_rl.reports.run.write_report", lambda path: None)
            assert cli.run(["train", log, *options(epochs=1), "--out", str(out)]) == 0
    finally:
        sys.stdout = before
    text = latin.text()
    assert "micro on Öl-???: 120 rows" in text and "Öl-???/policy.safetensors" in text
    return out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_a_console_lacks_is_replaced(encoding: str, trained: Path, log: str, screen) -> None:
    output = screen(encoding)
    assert cli.run(["runs", str(trained.parent)]) == 0
    assert cli.run(["data", "check", log]) == 0
    assert cli.run(["train", "--help"]) == cli.run(["methods"]) == cli.run([]) == 0
    assert ("?l-???" if encoding == "ascii" else "Öl-???") in output.text()


@pytest.mark.parametrize("form", ["md", "csv"])
def test_tables_are_utf_8_wherever_they_go(form: str, trained: Path, screen, tmp_path: Path) -> None:
    output = screen("cp1252")
    assert cli.run(["report", str(trained), "--format", form]) == 0
    assert NAME in output.text("utf-8")
    assert cli.run(["report", str(trained), "--format", form, "--out", str(tmp_path / "table")]) == 0
    assert NAME in (tmp_path / "table").read_text("utf-8")


@pytest.mark.parametrize("verb", ["check", "info"])
def test_json_is_utf_8(verb: str, log: str, screen) -> None:
    output = screen("ascii")
    assert cli.run(["data", verb, log, "--json"]) == 0
    assert json.loads(output.text("utf-8"))["name"] == NAME


def test_a_choice_of_the_user_stays(screen, monkeypatch: pytest.MonkeyPatch) -> None:
    output = screen("ascii")
    output.reconfigure(errors="backslashreplace")
    monkeypatch.setattr(cli, "_run", lambda *_: print("±"))
    cli.run(["methods"])
    assert output.text() == "\\xb1\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "cp1252:strict"])
def test_a_process_with_another_encoding(encoding: str) -> None:
    code = "import sys; sys.argv = ['micro-rl', 'data', '±']; from micro_rl.cli.main import main; main()"
    surroundings = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=surroundings)
    assert done.returncode == 2 and b"Traceback" not in done.stderr


def test_a_console_that_was_closed_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert cli.run(["methods"]) == 0
    sys.stdout.close()


def test_a_name_of_broken_letters_is_refused_in_one_line(capsys) -> None:
    assert cli.run(["data", "info", "bad\udcff.hdf5"]) == 2
    error = capsys.readouterr().err
    assert "'bad\\udcff.hdf5'" in error and "rename the file" in error and error.count("\n") == 1


@pytest.mark.parametrize("words", [["info"], ["check", "--horizon", "20", "--fix", "trained/mended.hdf5"]])
def test_a_page_or_copy_that_cannot_be_written(words: list[str], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    log = write_log(tmp_path / "swing.hdf5", terminal=True)
    (tmp_path / "trained").write_text("a file where a folder should be")
    assert cli.run(["data", words[0], str(log), *words[1:]]) == 2
    error = capsys.readouterr().err
    assert error.startswith("micro-rl: trained/") and "cannot be written" in error and error.count("\n") == 1


def test_matplotlib_does_not_speak_of_its_cache() -> None:
    import_module("micro_rl.reports")
    assert logging.getLogger("matplotlib.font_manager").getEffectiveLevel() >= logging.ERROR


def to_full_disk(words: list[str], stderr: str = "") -> subprocess.CompletedProcess[str]:
    """A command whose standard output, and perhaps standard error, takes no byte."""
    main = "from micro_rl.cli.main import main; main()"
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-c", main, *words],
            stdout=full,
            stderr=full if stderr else subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    return process


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_a_full_disk_under_standard_output_costs_the_words_and_not_the_work(log: str, tmp_path: Path):
    out = tmp_path / "run"
    words = ["--method", "bc", "--epochs", "2", "--no-scoring-model", *options(only=OF_ANY)]
    trained = to_full_disk(["train", log, *words, "--out", str(out)])
    line = "micro-rl: standard output: No space left on device, so what was printed is lost; files are not: "
    assert trained.returncode == 2 and (out / "policy.safetensors").exists() and (out / "report.html").exists()
    assert trained.stderr == f"{line}make room, or print elsewhere\n"
    for words in (["data", "info", log, "--json"], ["methods"], ["--version"]):
        process = to_full_disk(words)
        assert process.returncode == 2 and process.stderr == trained.stderr
    refused = to_full_disk(["runs", str(tmp_path / "none")], "full as well")
    assert refused.returncode == 2
