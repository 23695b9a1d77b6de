"""Methods from outside the package: docs/guides/own-method.md run as it stands, and what is refused in one line."""

import re
import shlex
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

import micro_rl
from micro_rl.algorithms import registry
from micro_rl.algorithms.model_based import mopo, rambo
from micro_rl.algorithms.model_free import bc
from micro_rl.algorithms.own_definitions import TAKEN
from micro_rl.cli.commands.planning import planned
from micro_rl.cli.commands.sweep import Sweep
from micro_rl.cli.commands.train import Training
from micro_rl.cli.main import run
from micro_rl.errors import Diverged, UserError
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import plan_to_command, plan_to_config
from micro_rl.training.runner import execute
from tests.probes import TINY, tiny_dataset
from tests.tiny_runs import options

PAGE = Path(__file__).parent.parent / "docs" / "guides" / "own-method.md"
FILES = dict(re.findall(r"^\*\*`([^`]+)`\*\*\n\n```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))

PAIRED = """
from dataclasses import dataclass
from micro_rl.algorithms.model_based import mopo

@dataclass(frozen=True)
class Options:
    pairs: tuple[tuple[float, float], ...] = ((0.0, 1.0), (2.0, 3.0))

def build(options):
    return mopo.build(mopo.Options())
"""


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "ALL", dict(registry.ALL))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files in a working folder."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tiny(method: str, **changes: Any):
    chosen: dict[str, Any] = TINY | {"epochs": 1} | changes
    return make_plan(tiny_dataset(), method, **chosen)


@pytest.fixture(scope="module")
def sac_layer(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The first weights of an actor that SAC on the model has trained."""
    return execute(tiny("sac"), tmp_path_factory.mktemp("sac") / "run").policy.layers[0][0]


@pytest.mark.parametrize(("file", "neutral"), [("quantile.py", {"beta": 0.0}), ("hinge.py", {"hinge": 0.0})])
def test_the_pages_methods_train_and_are_sac_on_the_model_where_they_are_neutral(
    files: Path, file: str, neutral, sac_layer: np.ndarray
):
    neutral, own = (execute(tiny(file, **changes), files / str(len(changes))) for changes in (neutral, {}))
    np.testing.assert_allclose(neutral.policy.layers[0][0], sac_layer, atol=1e-5)
    assert not np.array_equal(own.policy.layers[0][0], sac_layer)


def test_the_pages_quantile_by_hand(files: Path):
    own = registry.find(registry.name_of("quantile.py"))
    gap = own.build(own.Options(quantile=0.25)).target.gap
    values = jax.numpy.asarray([[0.0], [1.0], [2.0], [3.0], [4.0]])
    assert gap(values, None).tolist() == [1.0]  # mean 2, quartile 1
    with pytest.raises(UserError, match="quantile: 2"):
        tiny("quantile.py", quantile=2.0)


def test_a_run_keeps_the_file_and_its_content_and_refuses_another(files: Path):
    plan = tiny("quantile.py")
    execute(plan, files / "run")
    source = plan_to_config(plan)["method_source"]
    assert source["reference"] == str(files / "quantile.py")
    assert f"--method {files / 'quantile.py'}" in plan_to_command(plan) or "micro-rl" not in plan_to_command(plan)
    execute(tiny("quantile.py"), files / "run", resume=True)
    moved = files / "elsewhere"
    moved.mkdir()
    (files / "quantile.py").rename(moved / "quantile.py")
    execute(tiny("elsewhere/quantile.py"), files / "run", resume=True)
    (moved / "quantile.py").write_text(FILES["quantile.py"] + "# changed\n")
    with pytest.raises(UserError, match="begun with another method source"):
        execute(tiny("elsewhere/quantile.py"), files / "run", resume=True)


def test_options_that_are_tuples_of_tuples_are_typed_as_words(files: Path):
    (files / "paired.py").write_text(PAIRED)
    registry.name_of("paired.py")
    plan = make_plan("pendulum-demo", "paired.py", pairs=[[5.0, 6.0], (7.0, 8.0)])
    assert plan.options.pairs == ((5.0, 6.0), (7.0, 8.0))
    assert make_plan("pendulum-demo", "paired.py", pairs=np.eye(2)).options.pairs == ((1.0, 0.0), (0.0, 1.0))
    words = shlex.split(plan_to_command(plan))[2:]
    assert words[-5:] == ["--pairs", "5.0", "6.0", "7.0", "8.0"]
    assert planned("train", Training, lambda *_: "", words).plan.options == plan.options
    assert "--pairs" not in plan_to_command(make_plan("pendulum-demo", "paired.py"))


def test_a_module_on_the_path_of_the_working_folder(files: Path):
    package = files / "my_own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "hinged.py").write_text(FILES["hinge.py"])
    (package / "__init__.py").write_text("from my_own_package import hinged\n")
    assert registry.name_of("my_own_package:hinged") == "hinged"
    assert tiny("my_own_package:hinged").method_name == "hinged"
    with pytest.raises(UserError, match="the module my_own_package has no 'unhinged'"):
        registry.name_of("my_own_package:unhinged")
    with pytest.raises(UserError, match="there is no module 'my_other_package'"):
        registry.name_of("my_other_package:hinged")


def test_registered_from_python_and_by_an_installed_package(monkeypatch: pytest.MonkeyPatch):
    micro_rl.register("mine", mopo)
    assert registry.learns_model("mine")
    assert "file_sha256" in plan_to_config(tiny("mine"))["method_source"]
    point = metadata.EntryPoint("theirs", "micro_rl.algorithms.model_free.bc", "micro_rl.methods")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == "micro_rl.methods" else [])
    assert not registry.learns_model("theirs")
    assert registry.accepted("theirs")[0] == registry.accepted("bc")[0]


def test_the_list_and_the_help_have_it(files: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["train", "pendulum-demo", "--method", "quantile.py", "--help"]) == 0
    assert "--quantile" in capsys.readouterr().out
    micro_rl.register("mine", mopo)
    assert run(["methods"]) == 0
    assert re.search(r"^  mine +", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = ", "broken.py: line 1: "),
        ("import numpy as np\n\n1 / 0\n", "broken.py: broken.py, line 3: ZeroDivisionError"),
        ("import no_such_thing\n", "there is no module 'no_such_thing'"),
        ("def build(options): ...\n", "has no dataclass `Options`"),
        ("from micro_rl.algorithms.model_free.bc import Options\n", "has no function `build"),
        (FILES["hinge.py"].replace("hinge:", "epochs:"), "Options.epochs is the name of a general setting"),
        (FILES["hinge.py"] + "USES = {'wings'}\n", "USES: there is no setting 'wings'"),
        (FILES["hinge.py"].replace("hinge:", "out:"), "Options.out is a word of the command line"),
        (FILES["hinge.py"].replace("hinge:", "horizon:"), "Options.horizon is a word of the command line"),
        (FILES["hinge.py"].replace("] = 1.0", "]"), "Options.hinge has no default"),
        (FILES["hinge.py"].replace("] = 1.0", "] = 1j"), "Options.hinge is a complex; take a number"),
        (FILES["hinge.py"].replace("frozen=True", "slots=True"), "leave slots=True out"),
        ("raise ValueError('two\\nlines')\n", "broken.py, line 1: ValueError: two"),
        ("import sys\nsys.exit(5)\n", "broken.py, line 2: SystemExit: 5"),
        ("x = '\0'\n", "broken.py: source code string cannot contain null bytes"),
        ("import broken_sibling\n", "broken.py: broken_sibling.py, line 2: "),
    ],
)
def test_what_is_no_method_is_refused_in_one_line(files: Path, code: str, message: str):
    (files / "broken.py").write_text(code)
    (files / "broken_sibling.py").write_text("\ndef (\n")
    with pytest.raises(UserError, match=re.escape(message)) as refusal:
        registry.name_of("broken.py")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ("return 1", "build(options) gives a int; it must be a Method"),
        ("return Method(1 / 0)", "own.py, line 37: ZeroDivisionError"),
        ("from micro_rl.algorithms.model_free import bc\n    return bc.build(bc.Options())", "it must be a Method"),
    ],
)
def test_a_build_that_makes_no_method_is_refused_in_one_line(files: Path, build: str, message: str):
    before, _, _ = FILES["hinge.py"].partition("    check_values(options)")
    (files / "own.py").write_text(f"{before}    {build}\n")
    with pytest.raises(UserError, match=re.escape(message)):
        tiny("own.py")


def test_a_mistake_that_shows_in_training_ends_in_one_line(files: Path, capsys: pytest.CaptureFixture[str]):
    code = FILES["hinge.py"].replace("rows = batch.real", "rows = batch.unreal")
    (files / "wrong.py").write_text(code)
    assert run(["train", "pendulum-demo", "--method", "wrong.py", "--out", "run", *options(epochs=1)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    line = code.splitlines().index("        rows = batch.unreal") + 1
    assert f"{files / 'wrong.py'}, line {line}: AttributeError" in last


ODD = """
from micro_rl.algorithms.slots import ModelUpdate, Prepare, RolloutTransform, Target


class Begun(Prepare):
    def __call__(self, actor, ensemble, log, key):
        return actor.weights, ()


class Paid(RolloutTransform):
    def __call__(self, ensemble, method_state, rows):
        return rows._replace(reward=rows.observation)


class Wide(Target):
    def noise(self, key, rows, models):
        return ()

    def __call__(self, rows, next_value, context, noise):
        return rows.reward[:, None] + next_value[:, None], {}


class Lost(ModelUpdate):
    def __call__(self, ensemble, method_state, context, key):
        return ensemble.members, method_state


def build(options):
    return Method(SLOT)
"""


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        ("target=Wide()", r"target gives y of shape \(8, 1\); it must be \(8,\), one for each model row"),
        ("prepare=Begun()", "prepare gives actor of another structure; it must be the one that it was given"),
        ("transform=Paid()", r"transform gives rows.reward as float32 \(11, 3\); it must be float32 \(11,\)"),
        ("update_model=Lost()", r"update_model gives \(ensemble, state\) of another structure"),
    ],
)
def test_a_slot_that_gives_other_shapes_is_refused_before_anything_is_fitted(files: Path, slot: str, message: str):
    (files / "odd.py").write_text(FILES["quantile.py"] + ODD.replace("SLOT", slot))
    with pytest.raises(UserError, match=message) as refusal:
        tiny("odd.py", batch_size=16)
    assert str(files / "odd.py") in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "hinge.py",
            "jnp.mean(jnp.maximum(above, 0.0) ** 2)",
            "jnp.maximum(above, 0.0) ** 2",
            r"regularize gives a penalty of shape \(2, 8\); it must be \(\), one number: a mean over rows",
        ),
        ("hinge.py", "return self.weight *", "_ =", "regularize gives a penalty that is no array of numbers"),
        (
            "hinge.py",
            "        above =",
            "        rows.action @ drawn\n        above =",
            r"wrong.py, line \d+: TypeError: ",
        ),
        ("hinge.py", "return self.weight *", "if above.sum() > 0: return", r"line \d+: TracerBoolConversionError: "),
        ("quantile.py", "quantile: Array", "quantile: str", r"declare what is no number by eqx.field\(static=True\)"),
    ],
)
def test_code_that_cannot_be_compiled_is_refused_before_anything_is_fitted(files: Path, file, old, new, message):
    code = FILES[file].replace(old, new).replace("jnp.asarray(options.quantile)", "'a'")
    assert code != FILES[file]
    (files / "wrong.py").write_text(code)
    with pytest.raises(UserError, match=message) as refusal:
        tiny("wrong.py", batch_size=16)
    assert str(files / "wrong.py") in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("hinge.py", "jnp.mean(jnp.maximum(above, 0.0) ** 2)", "jnp.nan", "of regularize in .*own.py"),
        pytest.param(
            "hinge.py", "above, 0.0) ** 2", "above, 0.0) ** 2 / 0", "of regularize in .*own.py", marks=pytest.mark.slow
        ),
        ("quantile.py", "return jnp.mean(values, axis=0)", "return jnp.nan * jnp.mean(values, axis=0)", "of target in"),
    ],
)
def test_a_term_that_is_not_finite_ends_the_run_and_is_named(files: Path, file, old, new, message):
    code = FILES[file].replace(old, new)
    assert code != FILES[file]
    (files / "own.py").write_text(code)
    with pytest.raises(Diverged, match=f"epoch 1: .* first to blow up, in update 1 of that epoch; it comes {message}"):
        execute(tiny("own.py"), files / "run")


LEARNER = """
from dataclasses import dataclass
from micro_rl.algorithms.model_free import bc

USES = bc.USES


@dataclass(frozen=True)
class Options:
    \"\"\"None.\"\"\"


class Own(type(bc.build(bc.Options()))):
    def update(self, agent, rows, key, c):
        agent, logged = super().update(agent, rows, key, c)
        RETURN


def build(options):
    return Own()
"""


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("return agent", r"update gives a \w+; it must be \(agent, what to log\)"),
        ("return agent, {'rows': rows.continued}", r"update gives 'rows' to log of shape \(\d+,\); it must be \(\)"),
        ("return agent.actor, logged", "update gives agent of another structure"),
        ("return agent, [1.0]", "update gives a list to log"),
    ],
)
def test_a_method_without_a_model_is_held_to_its_shapes_too(files: Path, returned: str, message: str):
    (files / "learner.py").write_text(LEARNER.replace("RETURN", returned))
    with pytest.raises(UserError, match=message):
        make_plan(tiny_dataset(), "learner.py", epochs=1)
    (files / "learner.py").write_text(LEARNER.replace("RETURN", "return agent, logged"))
    make_plan(tiny_dataset(), "learner.py", epochs=1)


def test_a_method_whose_model_asks_when_episodes_end_fits():
    micro_rl.register("turned", rambo)
    assert tiny("turned", model_decay=(0.0, 0.0)).method_name == "turned"


def test_bounds_hold_where_annotations_are_postponed(files: Path):
    (files / "later.py").write_text("from __future__ import annotations\n" + FILES["hinge.py"])
    with pytest.raises(UserError, match="hinge: -1"):
        tiny("later.py", hinge=-1.0)


def test_every_word_of_the_commands_is_taken():
    words = {field.name for kind in (Training, Sweep) for field in fields(kind)}
    assert words | {"log", "help"} == TAKEN


def test_names(files: Path):
    (files / "micro.py").write_text(FILES["hinge.py"])
    with pytest.raises(UserError, match="there is a method 'micro' already"):
        registry.name_of("micro.py")
    with pytest.raises(UserError, match=r"nowhere.py: there is no such file"):
        registry.name_of("nowhere.py")
    with pytest.raises(UserError, match="is no name for a method"):
        micro_rl.register("a b", bc)
    with pytest.raises(UserError, match="has no dataclass"):
        micro_rl.register("empty", SimpleNamespace())


def test_a_target_is_tried_on_as_many_rows_as_a_batch_has_of_the_models(files: Path):
    code = FILES["quantile.py"].replace(
        "return jnp.mean(values, axis=0)",
        "assert values.shape == (2, 24), values.shape\n        return jnp.mean(values, axis=0)",
    )
    assert code != FILES["quantile.py"]
    (files / "counting.py").write_text(code)
    assert tiny("counting.py", real_ratio=0.25).settings.sizes().real_rows == 8


def test_a_penalty_is_tried_on_as_many_rows_as_it_will_see(files: Path):
    code = FILES["hinge.py"].replace(
        "rows = batch.real", "rows = batch.real\n        assert len(batch.model.reward) == 24, len(batch.model.reward)"
    )
    assert code != FILES["hinge.py"]
    (files / "counting.py").write_text(code)
    assert tiny("counting.py", real_ratio=0.25).settings.sizes().real_rows == 8
