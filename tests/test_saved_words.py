"""What a run says of where its bits come from, of another plan, and in its line of a list."""

from pathlib import Path
from typing import Any

import pytest

from micro_rl.errors import UserError
from micro_rl.storage import provenance
from micro_rl.storage.config_diff import differences, require_same_config
from micro_rl.storage.jsonl import append_row
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.run_index import runs_below, state

# Where bits come from


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model name\t: A chip: fast\nflags\t\t: sse avx2 amx_bf16 avx512f\n", "A chip: fast avx2 avx512f amx_bf16"),
        ("Features : asimd sve fp\nno colon\n", f"{provenance.platform.machine()} asimd sve"),
        ("model name : B\nflags : avx512_bf16\n\nmodel name : B\n", "B avx512_bf16"),
    ],
)
def test_the_processor(monkeypatch: pytest.MonkeyPatch, text: str, name: str):
    monkeypatch.setattr(Path, "read_text", lambda path: text)
    assert provenance.processor() == name


def test_which_variables_decide():
    names = ("XLA_FLAGS", "JAX_ENABLE_X64", "JAX_COMPILATION_CACHE_DIR", "MY_XLA_FLAGS", "PATH")
    assert [provenance._decides(name) for name in names] == [True, True, False, False, False]


def test_the_commit_says_whether_the_package_has_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "micro_rl" / "storage" / "provenance.py"))
    for changed, commit in (("", "abc"), (" M x", "abc with changes")):
        monkeypatch.setattr(provenance, "_git", lambda folder, *words, c=changed: "abc" if "HEAD" in words else c)
        assert provenance.commit() == commit
    monkeypatch.setattr(provenance, "_git", lambda folder, *words: None)
    assert provenance.commit() is None


# What differs between plans

CONFIG: dict[str, Any] = {
    "log": {"path": "a", "name": "a", "sha256": "1"},
    "method": "micro",
    "method_source": {"reference": "a.py", "file_sha256": "1"},
    "options": {"beta": 0.5},
    "settings": {"epochs": 3, "checkpoint_every": 1, "fit_checkpoint_seconds": 1.0},
    "task": {},
    "notes": ["a"],
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"notes": ["b"]}, []),
        ({"log": {"path": "b", "name": "b", "sha256": "1"}}, []),
        ({"settings": {"epochs": 3, "checkpoint_every": 2, "fit_checkpoint_seconds": 2.0}}, []),
        ({"method_source": {"reference": "b.py", "file_sha256": "1"}}, []),
        ({"log": {"sha256": "2"}}, [("log", "sha256: 1, now 2")]),
        ({"method_source": {"file_sha256": "2"}}, [("method_source", "file_sha256: 1, now 2")]),
        ({"options": {}}, [("options", "beta: 0.5, now None")]),
        ({"task": None}, [("task", "{}, now None")]),
        (
            {"method": "sac", "settings": {"epochs": 4, "discount": 0.5}},
            [("method", "micro, now sac"), ("settings", "discount: 0.9, now 0.5"), ("settings", "epochs: 3, now 4")],
        ),
    ],
)
def test_what_differs(change: dict[str, Any], expected: list[tuple[str, str]]):
    defaults = {"settings": {"discount": 0.9}}
    current = {"settings": CONFIG["settings"] | defaults["settings"]} | CONFIG | change
    current["settings"] = defaults["settings"] | current["settings"]
    assert differences(CONFIG, current, defaults) == expected
    if expected:
        first = expected[0][0]
        listing = ", ".join(text for part, text in expected if part == first)
        with pytest.raises(UserError) as refusal:
            require_same_config(CONFIG, current, defaults, Path("run"))
        other = "other" if first == "options" else "another"
        words = f"run: was begun with {other} {first.replace('_', ' ')} ({listing}); resume with the same, or name"
        assert str(refusal.value).startswith(words)
    else:
        require_same_config(CONFIG, current, defaults, Path("run"))


# Runs below a folder


def run_with(path: Path, rows: list[dict[str, float]], config: dict[str, Any]) -> RunFolder:
    run = RunFolder.create(path, config)
    for row in rows:
        run.append_metrics(row)
    return run


def test_a_runs_line(tmp_path: Path):
    key = "eval/normalised_score"
    rows = [{"epoch": epoch, key: float(epoch), "eval/return": 0.0} for epoch in range(1, 12)] + [{"epoch": 12}]
    run = run_with(tmp_path / "a", rows, {"method": "micro", "settings": {}})
    append_row(run.path / "fit.jsonl", {"epoch": 3})
    (line,) = runs_below(tmp_path)
    assert line == ("a", "micro", "", "12", "score 6.50", "stopped", ""), "the mean of 2 to 11"
    assert runs_below(run.path)[0].name == "a"
    empty = run_with(tmp_path / "b", [], {})
    assert runs_below(tmp_path)[1] == ("b", "", "", "0", "", "stopped", "")
    assert state(empty, [], 3) == "stopped"
    for name in ("config.json", "metrics.jsonl", "policy.safetensors", "scores.json"):
        (run.path / name).touch()
    run.seal()
    assert [state(run, run.metrics(), epochs) for epochs in (12, 13, None)] == ["done", "stopped", "stopped"]
    assert state(run, [], None) == "stopped"
