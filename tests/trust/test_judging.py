"""Whole judgements of a system where everything is known."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from micro_rl import Dataset, Policy
from micro_rl.core.expression import parse
from micro_rl.core.model_settings import ModelSettings
from micro_rl.errors import UserError
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE, Judgement, plain
from micro_rl.trust import fqe, judge
from micro_rl.trust.actors import pick
from micro_rl.trust.by_fqe import evaluate_by_fqe
from micro_rl.trust.case import Case, prepare
from micro_rl.trust.judging import judge_policies
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Effort, Options
from micro_rl.trust.places import common_starts
from micro_rl.trust.verdict import NOT_ABOVE
from tests.trust import line_world

SMALL = Options(
    window=10,
    effort=Effort(
        fit_epochs=100, fit_updates=0, hidden=(64, 64), clone_updates=300, fqe_updates=600, starts=100, fold_starts=40
    ),
)


POLICIES = {"home": line_world.policy(-2.0), "away": line_world.policy(2.0)}


@pytest.fixture(scope="module")
def log():
    return line_world.log()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


def judged_quickly(dataset: Dataset, policies: dict[str, Policy], options: Options) -> Judgement:
    """With networks for FQE that are smaller and learn faster: a quarter of the work, and no less accurate here."""
    with pytest.MonkeyPatch.context() as small:
        for name, value in {"HIDDEN": (64, 64), "BATCH": 64, "RATE": 2e-3, "TAU": 0.05}.items():
            small.setattr(fqe, name, value)
        return judge_policies(dataset, policies, options)


@pytest.fixture(scope="module")
def judgement(log, folder):
    return judged_quickly(log, POLICIES, SMALL._replace(folder=folder))


def test_the_better_is_called_better_and_the_worse_is_not(judgement):
    verdicts = {policy.name: policy.verdict for policy in judgement.policies}
    assert verdicts["home"] == BETTER
    assert verdicts["away"] in (WORSE, NOT_SHOWN)


def test_the_interval_holds_the_true_difference(judgement, log):
    """What is promised is the interval; a judge as small as this one is off by up to a quarter in the mean."""
    rows = np.linspace(0, len(log) - 1, 400).astype(int)
    rows = rows[rows % 20 <= 10]
    ahead = np.array([log.rewards[row : row + 10].sum() for row in rows])
    true = line_world.true_return(line_world.policy(-2.0), log.observations[rows, 0], 10) - ahead
    home = judgement.policies[0].evidence
    assert home.difference.low < true.mean() < home.difference.high
    assert home.model.mean == pytest.approx(true.mean(), rel=0.25)
    assert home.fqe.mean == pytest.approx(true.mean(), rel=0.25)


def test_it_keeps_what_the_log_measured(judgement, log):
    assert judgement.window == 10 and judgement.windows == 240
    assert judgement.measured == pytest.approx(
        np.mean([log.rewards[row : row + 10].sum() for row in range(len(log)) if row % 20 <= 10]), rel=1e-5
    )
    assert 0.95 < judgement.coverage <= 1
    clone = judgement.policies[0].baseline
    assert judgement.baseline_error is not None
    assert judgement.baseline_error.model == pytest.approx(clone - judgement.measured)
    assert len(judgement.folds) == 10 and judgement.level == pytest.approx(0.9)
    assert judgement.explained > 0.8 and judgement.fqe_explained > 0.8, "both predict parts that they did not see"
    assert plain(judgement)["policies"][0]["evidence"]["difference"]["low"] > 0


def test_a_trial_is_planned_where_nothing_but_the_interval_speaks_against_a_policy(judgement):
    for policy in judgement.policies:
        failed = {gate.name for gate in policy.gates if gate.passed is False}
        assert (policy.trial is not None) == (policy.difference.mean > 0 and failed <= {NOT_ABOVE})
    assert {policy.name: policy.trial is not None for policy in judgement.policies} == {"home": True, "away": False}


def test_a_log_of_two_controllers_calls_nothing_better_that_only_beats_the_clone():
    """The reward is the distance from 0. One controller goes outwards, the other inwards, and the clone in between.

    So the clone collects less than the log, and a policy that goes outwards slowly more than the clone and less than
    the log.
    """
    gain = np.where(np.arange(120) % 2, 3.0, -1.5)
    inwards = line_world.log(gain=gain)
    mixture = replace(inwards, rewards=-inwards.rewards)
    policies = {"slow": line_world.policy(0.6), "fast": line_world.policy(1.0)}
    judgement = judged_quickly(mixture, policies, SMALL)
    rows = np.flatnonzero(np.arange(len(mixture)) % 20 <= 10)
    ahead = np.mean([mixture.rewards[row : row + 10].sum() for row in rows])
    starts = mixture.observations[rows, 0]
    truth = [-line_world.true_return(own, starts, 10).mean() - ahead for own in policies.values()]
    assert truth[0] < -0.1 and truth[1] > 1.0
    slow, fast = judgement.policies
    assert slow.evidence.model.mean > 0 and slow.evidence.fqe.mean > 0, "held against the clones alone"
    assert slow.verdict != BETTER
    for own, difference in zip(truth, (slow.evidence.difference, fast.evidence.difference), strict=True):
        assert difference.low < own < difference.high
    error = judgement.baseline_error
    assert error is not None and error.model < -1.0 and error.fqe < -1.0, "a tenth of what was measured, and more"


@pytest.mark.slow
def test_what_no_row_triggered_cannot_be_known_but_is_no_reason_to_call_it_better():
    """All members are wrong together: where the log never was, the reward is -100, and none of them knows."""
    log = line_world.log(cliff=1.6)
    log_max = float(log.next_observations.max())
    assert log_max < 3.0
    away = line_world.policy(0.0, 3.0)
    judged = judge_policies(log, {"over the cliff": away}, SMALL).policies[0]
    assert judged.verdict != BETTER


@pytest.mark.slow
def test_what_no_row_triggered_is_known_to_a_formula():
    """The same with the cliff written down: the model's windows end far below anything that a row has paid."""
    log, formula = line_world.log(cliff=1.6), "-abs(next_o0) * (next_o0 <= 1.6) - 100 * (next_o0 > 1.6)"
    away = {"over the cliff": line_world.policy(0.0, 3.0)}
    judgement = judge_policies(log, away, SMALL._replace(known_reward=formula))
    assert judgement.policies[0].value < -100
    assert judgement.policies[0].verdict != BETTER
    assert any("computed by known_reward" in note for note in judgement.notes)


@pytest.mark.slow
def test_limits_are_counted(log):
    limits = (parse("o0 <= 0.5", ["o0"], "limits"),)
    judged = judge_policies(log, {"away": line_world.policy(2.0)}, SMALL._replace(limits=limits))
    share = float((log.next_observations[:, 0] > 0.5).mean())
    assert judged.log_violations == pytest.approx(share)
    assert (judged.policies[0].evidence.violations or 0) > share
    assert any("limits" in gate.name and gate.passed is False for gate in judged.policies[0].gates)


@pytest.mark.slow
def test_the_current_policy_is_what_is_to_be_beaten(log):
    current = lambda observation: np.tanh(-2.0 * observation)  # noqa: E731
    judged = judge_policies(log, {"same": line_world.policy(-2.0)}, SMALL._replace(current=current))
    assert "your current policy" in judged.baseline and judged.baseline_error is None
    assert judged.policies[0].verdict == NOT_SHOWN
    assert abs(judged.policies[0].evidence.difference.mean) < 0.3


@pytest.mark.slow
def test_what_imitates_the_current_policy_may_miss_it(log):
    """A step pays a^2. The current policy alternates between 0.8 and -0.8, so the network does 0 and collects nothing.

    Always 0.5 collects 2.5 in ten steps: more than the network, and less than the 6.4 that it stands for.
    """
    paid = replace(log, rewards=log.actions[:, 0] ** 2)
    current = np.where(np.arange(len(log)) % 2, 0.8, -0.8)
    options = SMALL._replace(current=current, effort=SMALL.effort._replace(fqe_updates=1200))
    judgement = judge_policies(paid, {"half": line_world.policy(0.0, np.arctanh(0.5))}, options)
    assert judgement.imitation_error == pytest.approx(-6.4, rel=0.15)
    half = judgement.policies[0]
    assert half.evidence.model.low > 0 and half.evidence.fqe.low > 0, "held against the network alone"
    assert half.verdict != BETTER
    assert half.evidence.difference.low == pytest.approx(2.5 - 6.4, rel=0.15), "held against the policy itself"


def of_chance(case: Case, count: int) -> list[list[int]]:
    """The keys of all that FQE draws of so many policies, replica by replica."""
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fqe, "evaluate", lambda *given, **_: drawn.append(given[5]) or np.zeros((len(given[5]), 100)))
        evaluate_by_fqe(case, [pick(case.clones, 0)] * count, common_starts(case))
    return np.asarray(jax.random.key_data(drawn[0])).tolist()


def test_a_judge_that_is_kept_is_the_same_judge(judgement, log, folder, monkeypatch):
    monkeypatch.setattr("micro_rl.trust.case.fit", None)
    options = SMALL._replace(folder=folder)
    again = prepare(lay_out(log, 1, options), options, lambda *_: None)
    assert again.coverage == judgement.coverage and 0 < again.coverage < 1
    assert of_chance(again, 2) == of_chance(again, 1) * 2, "FQE's figures do not hang on which others are judged"
    otherwise = replace(log, rewards=-log.rewards)  # the same file, read with another reward
    with pytest.raises(TypeError, match="NoneType"):
        prepare(lay_out(otherwise, 1, options), options, lambda *_: None)


def test_bad_inputs_are_one_line(log):
    def refused(match: str, dataset=log, policies=None, **options):
        with pytest.raises(UserError, match=match) as caught:
            judge_policies(dataset, policies or {"home": line_world.policy(-2.0)}, SMALL._replace(**options))
        assert "\n" not in str(caught.value)

    refused("windows? of 30 steps where 40 are needed", window=30)
    refused("0.5: a window has", window="0.5")
    refused("no number of steps and no time", window="a day")
    refused("tells no times", window="1d")
    refused("take time, behaviour, clusters, or a column", groups="operator")
    refused("7 labels where the log has", groups=list("abcdefg"))
    refused("uninterrupted window", dataset=line_world.log(episodes=1), window=None)
    two = np.zeros((40, 2)), np.zeros((40, 1)), np.zeros(40)
    refused("every reward is 0", dataset=Dataset.from_arrays(*two, horizon=20))
    wide = line_world.log()
    wide = Dataset.from_arrays(np.repeat(wide.observations, 2, 1), wide.actions, wide.rewards, timeouts=wide.timeouts)
    refused("home: has 1 observation and 1 action, the log 2 and 1", dataset=wide)
    refused("not finite", current=lambda observation: observation * np.nan)
    refused("ZeroDivisionError", current=lambda observation: 1 / 0)
    refused("an action of 2 numbers", current=lambda observation: [1, 2])
    refused("actions of shape", current=np.zeros((3, 1)))
    refused(r"actions of shape \(\)", current=5)
    refused("no function and no array of numbers", current=["a", "b"])


def test_a_small_log_is_fitted_for_more_passes(monkeypatch):
    """So many passes as the updates that are asked for need, at a learning rate that stays."""
    asked = []

    def stopped(state, sizes):
        asked.append(sizes)
        return False

    monkeypatch.setattr(judge, "unfinished", stopped)
    layout = lay_out(line_world.log(), 1, SMALL)
    batches = -(-(3 * len(layout.rows.fold) // 5) // ModelSettings().model_batch_size)
    for updates, passes in ((0, 7), (7 * batches, 7), (7 * batches + 1, 8), (2000, -(-2000 // batches))):
        effort = SMALL.effort._replace(fit_epochs=7, fit_updates=updates)
        judge.fit(
            layout.rows, layout.scaling, layout.folds, ModelSettings(), effort, jax.random.key(0), lambda *_: None
        )
        assert (asked[-1].max_epochs, asked[-1].lr, asked[-1].lr_drops) == (passes, judge.LEARNING_RATE, 0)
