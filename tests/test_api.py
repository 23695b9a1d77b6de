import inspect
import itertools
import re
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest

import micro_rl
from micro_rl.algorithms import registry
from micro_rl.core.metric_keys import METRICS
from micro_rl.data.log_paths import locate
from micro_rl.reports.choice.record import KEEP, Choice
from micro_rl.selection.front import choose as really_choose
from micro_rl.storage.contents import RUN_FOLDER
from micro_rl.storage.json_files import read_json
from micro_rl.trust.front import trust as really_trust
from tests.tiny_runs import HORIZON, SETTINGS, write_log
from tests.trust.judgements import evidence, judged, judgement

pytestmark = pytest.mark.usefixtures("no_page")

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/start/*.md")), *sorted(ROOT.glob("docs/guides/*.md"))]

FILE = re.compile(r"^\*\*`([^`]+)`\*\*\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block that is a file of the reader's."""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """As many rows to learn from as the guide's log of arrays has: what trains on either shares its programs."""
    return write_log(tmp_path_factory.mktemp("log") / "swing.hdf5", episodes=4, length=99)


def same(one: micro_rl.Run, other: micro_rl.Run) -> bool:
    pairs = zip(one.policy.layers, other.policy.layers, strict=True)
    return all(np.array_equal(a, b) for layer in pairs for a, b in zip(*layer, strict=True))


@pytest.mark.parametrize("sweeps", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_snippet_of_readme_and_site_runs(sweeps, log, tmp_path, monkeypatch):
    """With a tiny log and tiny settings in place of the ones named there, everything else as printed."""
    really_load, really_train, really_sweep = micro_rl.load, micro_rl.train, micro_rl.sweep
    numbers = itertools.count()

    def load(name, **known):
        locate(name)
        return really_load(log, **known)

    def train(data, reading=None, **chosen):
        if isinstance(data, str):
            locate(data)
        return really_train(log if isinstance(data, str) else data, **(chosen | SETTINGS))

    def sweep(data, **chosen):
        inspect.signature(really_sweep).bind(data, **chosen)
        place = {"out": tmp_path / f"sweep{next(numbers)}"}
        return really_sweep(data, **(chosen | SETTINGS | place), until=1) if sweeps else {}

    def trust(runs, log, **chosen):
        inspect.signature(really_trust).bind(runs, log, **chosen)
        return judgement(judged("run", evidence(0.5, 2.0)))

    def choose(log, **chosen):
        inspect.signature(really_choose).bind(log, **chosen)
        return Choice(
            "swing", "", KEEP, "nothing is shown", (), (), None, None, chosen["minutes"], 2, 0.0, "", "", True, ""
        )

    monkeypatch.setattr(micro_rl, "choose", choose, raising=False)
    monkeypatch.setattr(micro_rl, "trust", trust, raising=False)
    monkeypatch.setattr(registry, "ALL", dict(registry.ALL))  # what a page registers is gone after it
    monkeypatch.setattr(micro_rl, "load", load, raising=False)
    monkeypatch.setattr(micro_rl, "train", train, raising=False)
    monkeypatch.setattr(micro_rl, "sweep", sweep, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pump.csv").touch()
    monkeypatch.setitem(sys.modules, "policy", MagicMock())  # the file that is deployed: tests/deploy tries real ones
    runtime = MagicMock()
    runtime.InferenceSession.return_value.run.return_value = (np.zeros((1, 1)),) * 3
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.syspath_prepend(tmp_path)
    names = {
        "running": False,
        "WINDOW": 8,
        "ACTIONS": 1,
        "observation": np.zeros(3),
        "observations": np.zeros((2, 3)),
        "actions": np.zeros((2, 1)),
        "action": np.zeros(1),
    }
    block = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
    snippets = {snippet: page.name for page in PAGES for snippet in block.findall(page.read_text())}
    assert len(snippets) >= 8
    for name, code in (file for page in PAGES for file in FILE.findall(page.read_text())):
        (tmp_path / name).write_text(code)
        del snippets[code]
    for snippet, page in snippets.items():  # what two pages share is run once
        exec(compile(snippet, page, "exec"), names)


def test_a_file_and_the_dataset_in_it_train_alike(log, tmp_path):
    by_path = micro_rl.train(log, out=tmp_path / "path", **SETTINGS)
    by_name = micro_rl.train(str(log), out=str(tmp_path / "name"), **SETTINGS)
    by_data = micro_rl.train(micro_rl.load(log), out=tmp_path / "data", **SETTINGS)
    assert same(by_path, by_name) and same(by_path, by_data)
    assert not same(by_path, micro_rl.train(log, out=tmp_path / "seed", **SETTINGS, seed=1))


def test_the_run_holds_what_its_folder_holds(log, tmp_path):
    run = micro_rl.train(log, out=tmp_path / "run", **SETTINGS)
    assert run.path == tmp_path / "run"
    assert [row["epoch"] for row in run.metrics] == [1, 2]
    assert set(run.metrics[-1]) <= set(METRICS)
    known = [name.rstrip("/").removesuffix("/epoch-N") for name in RUN_FOLDER]
    assert [path.name for path in run.path.iterdir() if not any(map(path.match, known))] == []
    assert run.scores["window_estimate/difference"]["last"] == run.metrics[-1]["window_estimate/difference"]
    assert repr(run).startswith(f"Run({str(run.path)!r}, epochs=") and len(repr(run)) < len(str(run.path)) + 60
    policy = micro_rl.Policy.load(run.path / "policy.safetensors")
    observations = np.random.default_rng(0).normal(size=(5, 3))
    assert np.array_equal(policy(observations), run.policy(observations))


def test_without_a_folder_the_run_goes_into_trained(log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert micro_rl.train(log, until=1, seed=7, **SETTINGS).path == Path("trained/swing-micro-seed7")
    assert len(micro_rl.train(log, resume=True, seed=7, **SETTINGS).metrics) == 2


def test_the_callback_sees_every_epoch_and_a_policy_that_acts(log, tmp_path):
    epochs = []
    micro_rl.train(
        log,
        out=tmp_path / "run",
        on_epoch=lambda row, policy: epochs.append((row["epoch"], row["conservative_term"], policy(np.zeros(3)))),
        **SETTINGS,
    )
    assert [epoch for epoch, _, _ in epochs] == [1, 2]
    assert all(f >= 0 and action.shape == (1,) and abs(action[0]) <= 2 for _, f, action in epochs)


def test_a_mistake_in_the_callback_is_the_callers(log, tmp_path):
    def mistaken(row, policy):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        micro_rl.train(log, out=tmp_path / "run", on_epoch=mistaken, **SETTINGS)


def test_a_termination_function_of_ones_own(tmp_path):
    """It sees raw observations and ends model rows: here every one, so that no rollout gets past its first step."""

    def always(observation):
        return (observation[..., 0] == observation[..., 0]) | False

    log = write_log(tmp_path / "falls.hdf5", terminal=True, episodes=4, length=99)
    run = micro_rl.train(log, out=tmp_path / "run", termination=always, **SETTINGS)
    assert {row["rollout/length"] for row in run.metrics} == {1.0}
    assert read_json(run.path / "config.json")["task"]["termination"].endswith("always")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bta": 0.5}, "bta: no such setting (did you mean 'beta'?)"),
        ({"beta": -0.1}, "beta: -0.1 is not 0 or more"),
        ({"method": "mopo2"}, "choose one of micro, mobile"),
        ({"until": 0}, "until: 0 is not a whole number"),
        ({"horizon": 0}, "horizon"),
        ({"env": "Pendulum-v1:x"}, "no simulator"),
    ],
)
def test_mistakes_are_user_errors_and_leave_no_folder(wrong, message, log, tmp_path):
    with pytest.raises(micro_rl.UserError, match=re.escape(message)):
        micro_rl.train(log, out=tmp_path / "run", **(SETTINGS | wrong))
    assert not (tmp_path / "run").exists()


def test_evaluate_is_part_of_the_front_door(log, tmp_path):
    run = micro_rl.train(log, out=tmp_path / "run", **SETTINGS)
    result = micro_rl.evaluate(run.policy, "Pendulum-v1", episodes=2, horizon=HORIZON)
    assert result.returns.shape == (2,) and list(result.lengths) == [HORIZON, HORIZON]


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="nothing"):
        _ = micro_rl.nothing


def test_no_module_has_the_name_of_a_public_function():
    """Importing such a module would put it in the function's place; `trust` does as its function does."""
    modules = {path.stem for path in Path(micro_rl.__path__[0]).iterdir()}
    assert modules & set(micro_rl.__all__) == {"trust"}
    assert callable(import_module("micro_rl.trust"))
