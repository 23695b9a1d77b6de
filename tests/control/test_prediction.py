"""What was predicted of the policy that acted: that it is of this policy, and how the record's windows stand to it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.shortfall import HEALTHY, KINDS, false_alarms, found_after, of_log
from micro_rl import Controller, Dataset, UserError
from micro_rl.cli.main import run as command
from micro_rl.control.making import of_export
from micro_rl.control.record_toml import newest_policy
from micro_rl.data.stretches import alike, stretches
from micro_rl.data.writers.hdf5 import write_log
from micro_rl.deploy.exporting import export_onnx, export_python
from micro_rl.deploy.source import Source
from micro_rl.policy import Policy
from micro_rl.reports.monitor.findings import find
from micro_rl.reports.monitor.prediction import Match, match, of_judgement, of_run
from micro_rl.reports.monitor.recorded import read
from micro_rl.reports.trust.watched import ABOVE, CONSISTENT, FALLS_SHORT
from micro_rl.storage.files import sha256
from micro_rl.storage.run_folder import RunFolder
from micro_rl.trust.trial import margin
from micro_rl.trust.watching import FEWEST, half_widths, hold
from tests.control.loops import at, proportional, range_guard
from tests.control.test_monitor import plant

OWN, OTHER = proportional(), proportional(2)
SAYS = "the judgement predicts for"


def acted(path: Path, policy: Policy, steps: int = 20) -> Path:
    """Go on with a record by a policy."""
    with Controller(policy, range_guard(), record=path) as loop:
        for _ in range(steps + 1):
            loop.step(at(1.0), reward=1.0)  # of the step before
    return path


def judgement(path: Path, *policies: Policy | str, **changes: Any) -> Path:
    """Write one of these policies, or of names without a digest, by which the log's windows of four steps bring 0."""
    judged = [
        {
            "name": name if isinstance(name, str) else f"policy {number}",
            "sha256": "" if isinstance(name, str) else name.sha256,
            "evidence": {"difference": {"mean": 4.0 + number, "low": 3.0, "high": 5.0}},
            "baseline": -1.0,
            "trial": {"baseline": 0.0, "deviation": 1.0, "alpha": 0.05, "most_windows": 30},
        }
        for number, name in enumerate(policies)
    ]
    whole = {"window": 4, "measured": 0.0, "baseline_error": {"model": 0.0, "fqe": 0.0}, "policies": judged}
    path.write_text(json.dumps(whole | changes))
    return path


def test_a_policy_is_known_by_the_digest_of_its_file_and_so_are_its_exports(tmp_path: Path):
    policy = proportional(2, action_mid=np.array([33.3]), action_half=np.array([1 / 3]), mapping='reward = "level"')
    policy.save(tmp_path / "policy.safetensors")
    assert policy.sha256 == sha256(tmp_path / "policy.safetensors")
    assert proportional(2).sha256 not in (policy.sha256, proportional().sha256)
    export_python(Source(policy), tmp_path / "exported.py")
    assert of_export(tmp_path / "exported.py")[0].sha256 == policy.sha256


def test_an_onnx_file_tells_the_policy_that_it_was_exported_from(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    policy = proportional(2, observation_mean=np.array([0.1, 1 / 3, 0.2, 0.7, 1e-7]))
    export_onnx(Source(policy), tmp_path / "exported.onnx")
    read_back = of_export(tmp_path / "exported.onnx")[0]
    assert read_back.sha256 == policy.sha256 != Policy._parts(read_back)


def test_a_record_tells_which_policy_was_in_charge_from_which_episode(tmp_path: Path):
    path, toml = tmp_path / "record.csv", tmp_path / "record.csv.toml"
    for policy in (OWN, OWN, OTHER):
        acted(path, policy, 3)
        toml.write_text(toml.read_text().replace("where", "# where"))
    record = read(path)
    assert record.policies == ((0, OWN.sha256), (2, OTHER.sha256)) and "# where" in toml.read_text()
    assert record.acted == (OTHER.sha256, OWN.sha256) and record.by(OTHER.sha256).tolist() == [False] * 8 + [True] * 4
    toml.write_text("# no TOML [")
    assert newest_policy(toml.read_text()) == ""
    acted(path, OWN, 3)
    assert "# no TOML [" in toml.read_text() and f'first_episode = 3\nsha256 = "{OWN.sha256}"' in toml.read_text()


@pytest.mark.parametrize("told", ["5", "[{first_episode = 0}]", '[{first_episode = "a", sha256 = "b"}]', '["a"]'])
def test_policies_that_are_none_are_told(tmp_path: Path, told: str):
    path = acted(tmp_path / "record.csv", OWN, 3)
    toml = path.with_name("record.csv.toml")
    toml.write_text(toml.read_text().split("[[")[0] + f"policies = {told}\n")
    with pytest.raises(UserError, match=r"record\.csv\.toml: provenance\.policies .*: correct it there"):
        read(path)


def test_a_prediction_is_compared_with_the_windows_of_its_own_policy(tmp_path: Path):
    path, foretold = acted(tmp_path / "record.csv", OWN), tmp_path / "judgement.json"

    def matched(*policies: Policy | str) -> Match:
        record = read(path)
        return match(record, of_judgement(judgement(foretold, *policies), None, record.acted))

    assert matched(OWN) == (True, OWN.sha256, "")
    other, own = OTHER.sha256[:8], OWN.sha256[:8]
    note = f"{SAYS} another policy (SHA-256 of its file: {other}...) than the one that acted ({own}): not compared"
    assert matched(OTHER) == (False, None, note)
    files = f"other policies (SHA-256 of their files: {other}... and {proportional(3).sha256[:8]}...)"
    assert matched(OTHER, proportional(3)).note == f"{SAYS} {files} than the one that acted ({own}): not compared"
    note = "the judgement does not tell of which policy it is: it is taken for the one that acted"
    assert matched("loop") == (True, None, note)
    acted(path, OTHER, 40)
    note = f"policy {OTHER.sha256[:8]} was in charge of 41 of the 62 steps: its windows alone are compared"
    assert matched(OTHER) == (True, OTHER.sha256, note)
    taken = [find(read(path), plant(), 4, digest).windows for digest in (OTHER.sha256, OWN.sha256, None)]
    assert [len(windows.returns) for windows in taken if windows] == [10, 5, 15]
    toml = path.with_name("record.csv.toml")
    toml.write_text(toml.read_text().split("[[")[0])
    note = "the record does not tell which policy acted: the judgement is taken to predict for that one"
    assert matched(OWN) == (True, None, note)


@pytest.mark.parametrize(
    ("policy", "more", "words"),
    [
        (
            OWN,
            [],
            "reward  consistent so far with what the judgement predicted, 4.00 more than the log (+3.00 to +5.00)",
        ),
        (OTHER, [], f"note    {SAYS} another policy (SHA-256 of its file: {OTHER.sha256[:8]}...) than the one that"),
        (OWN, ["--window", "5"], f"note    {SAYS} windows of 4 steps: not compared with --window 5"),
    ],
)
def test_the_command_says_how_the_record_stands_to_the_prediction(
    tmp_path: Path, policy: Policy, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
):
    path, log = acted(tmp_path / "record.csv", OWN), tmp_path / "tank.hdf5"
    write_log(log, plant(), {})
    foretold = judgement(tmp_path / "judgement.json", policy)
    assert command(["monitor", str(path), "--log", str(log), "--judgement", str(foretold), *more]) == 0
    text = capsys.readouterr().out
    assert words in text and ("predicted, " in text) is words.startswith("reward")
    page = path.with_suffix(".html").read_text()
    assert words[9:40] in page and OWN.sha256 in page


def test_of_several_policies_the_one_is_taken_that_acted_or_else_that_of_the_run(tmp_path: Path):
    path, run = tmp_path / "judgement.json", tmp_path / "second"
    judgement(path, OTHER, OWN)
    assert of_judgement(path, None, (OWN.sha256,)).mean == 5.0
    assert of_judgement(path, None, (OWN.sha256, OTHER.sha256)).policy == OWN.sha256
    assert of_judgement(path, None, ("ab" * 32,)).policy == OTHER.sha256  # none acted, as its digest tells
    judgement(path, str(tmp_path / "first"), str(run / "policy.safetensors"), str(tmp_path / "other"))
    assert of_judgement(path, run, ()).mean == 5.0
    for asked, why in ((None, "which of them acted no --run tells"), (tmp_path / "third", "third is cannot be told")):
        with pytest.raises(UserError, match=f"judges 3 policies, and .*{why}; write a judgement of the one run"):
            of_judgement(path, asked, ())
    judgement(path, str(tmp_path / "first"))
    assert of_judgement(path, None, ()).mean == 4.0


def test_the_judgement_of_a_choice_and_one_against_a_current_policy(tmp_path: Path):
    path = judgement(tmp_path / "judgement.json", OWN, baseline_error=None)
    assert of_judgement(path, None, ()).baseline == -1.0
    path.write_text(json.dumps({"decision": "try", "judgement": json.loads(path.read_text())}))
    assert of_judgement(path, None, ()).by == "the choice"
    whole, reverse = (json.loads(judgement(path, OWN).read_text()) for _ in range(2))
    reverse["policies"][0]["evidence"]["difference"] = {"mean": 4.0, "low": 5.0, "high": 3.0}
    damaged = [{"judgement": None}, {"judgement": {}}, {"policies": []}, {"window": 4, "policies": []}]
    for content in [
        *damaged,
        whole | {"window": 0},
        whole | {"measured": None},
        whole | {"measured": float("inf")},
        reverse,
    ]:
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match="is no judgement"):
            of_judgement(path, None, ())


def test_a_runs_own_model_predicts_by_its_last_evaluation(tmp_path: Path):
    run = RunFolder.create(tmp_path / "run", {})
    assert of_run(run.path) is None
    OWN.save(run.path / "policy.safetensors")
    for epoch, mean in ((1, 9.0), (2, 1.5)):
        keys = ("difference", "low", "high")
        figures = {f"window_estimate/{key}": mean + part for key, part in zip(keys, (0.0, -0.5, 0.5), strict=True)}
        run.append_metrics({"epoch": epoch} | figures)
    returns = {"rows": 1, "episodes": 1, "return_mean": 0.0, "return_best": 0.0, "window": 20}
    run.write_scores({"epochs": 2, "planned_epochs": 2, "log": returns})
    told = of_run(run.path)
    assert told is not None and (told.policy, told.window) == (OWN.sha256, 20)
    assert (told.mean, told.low, told.high) == (1.5, 1.0, 2.0)
    run.append_metrics({"epoch": 3, "window_estimate/difference": 1.0})
    with pytest.raises(UserError, match="its last window estimate is none: give --judgement"):
        of_run(run.path)


def test_it_falls_short_where_all_that_is_possible_lies_below_the_interval():
    short = np.zeros(40)
    first = next(count for count in range(1, 41) if margin(count, 1.0) < 1.0)
    held = hold(short, 0.0, 1.0, (1.0, 2.0))
    assert (held.outcome, held.decided_after) == (FALLS_SHORT, first)
    assert (held.lowest, held.highest) == (-held.half[-1], held.half[-1])
    assert hold(short[: first - 1], 0.0, 1.0, (1.0, 2.0)).outcome == CONSISTENT
    assert hold(short, 3.0, 1.0, (-2.0, -1.0)).outcome == FALLS_SHORT  # the difference is -3
    assert hold(short, -3.0, 1.0, (1.0, 2.0)).outcome == ABOVE
    assert hold(np.append(short, 1e6), 0.0, 1.0, (1.0, 2.0)).decided_after == first
    for wrong in ((np.zeros(0), (0.0, 1.0)), (short, (1.0, 0.0)), (short, (float("nan"), 0.0))):
        with pytest.raises(ValueError, match=r"no window|no interval"):
            hold(wrong[0], 0.0, 1.0, wrong[1])


def test_windows_that_are_spread_or_alike_tell_less():
    returns = np.array([3.0, -3.0] * FEWEST)
    plain = [margin(count, 1.0) for count in range(1, 2 * FEWEST + 1)]
    half = half_widths(returns, 1.0)
    assert half[: FEWEST - 1] == pytest.approx(plain[: FEWEST - 1])
    assert half[-1] == pytest.approx(plain[-1] * returns.std(ddof=1))
    assert half_widths(returns / 10, 1.0, alike=0.6) == pytest.approx(2 * np.array(plain))


def test_how_alike_a_logs_windows_are():
    """Episodes of two windows that bring the same; their rows' rewards are one, or alternate within an episode."""
    rewards = np.repeat([1.0, -1.0, 1.0, -1.0], 4)

    def log(rewards: np.ndarray) -> Dataset:
        rows = np.arange(16)
        zero = np.zeros((16, 1))
        return Dataset.from_arrays(zero, zero, rewards, None, rows % 4 == 3, name="x", action_low=-1.0, action_high=1.0)

    same, other = log(rewards), log(np.tile([1.0, 1.0, -1.0, -1.0], 4))
    assert alike(same, stretches(same, 2)) == pytest.approx(0.9)  # 1, cut off
    assert alike(other, stretches(other, 2)) == 0.0  # -1, cut off
    assert alike(same, stretches(same, 4)) == 0.0  # no episode holds two


def test_a_true_prediction_is_contradicted_in_five_of_a_hundred_records_at_most():
    for name, (draw, like) in KINDS.items():
        shares = false_alarms(draw, like, 2000, 300, 200, seed=0)
        assert shares.short <= 0.05 or "unlike the log" in name, name
        assert shares.trial <= shares.exact
        assert shares.trial <= 0.05 or "unlike the log" in name or "as spread" in name, name
    log = plant(2000)
    like = alike(log, stretches(log, 5))
    assert false_alarms(of_log(log, 5), like, 500, 100, 400, seed=0).either <= 0.05


def test_a_shortfall_is_found():
    after = np.array([np.median(found_after(1.0, healthy, 500, 200, 200, seed=0)) for healthy in (0, HEALTHY)])
    assert after[0] < 15 and after[1] < 40
