"""The study of beta on a card: it keeps policies, ends in time, and says which betas are told apart."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.policy import Policy
from runs import card_beta
from runs.card_beta import NEVER, Keeping, TimeIsUp, policy_name, train
from runs.card_beta_page import BETAS, answer_of, table_of_scores
from runs.card_beta_scores import Study, policies
from tests.probes import tiny_plan


@pytest.mark.slow
def test_policies_are_kept_and_nothing_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(card_beta, "SEEDS", 1)
    monkeypatch.setattr(card_beta, "BETAS", (0.0, 1.0))
    plan = tiny_plan().varied({"epochs": 5, "eval_every": NEVER, "checkpoint_every": NEVER})
    done = train(plan, tmp_path, every=2, seconds=1e9)
    assert set(done) == {"beta=0-seed0", "beta=1-seed0"}
    kept = {(run, epoch) for run, epoch, _ in policies(tmp_path)}
    assert kept == {(run, epoch) for run in done for epoch in (2, 4)}


def test_when_the_time_is_up_the_policy_is_kept_and_training_ends(tmp_path: Path):
    layers, zeros, ones = [(np.ones((3, 2)), np.zeros(2))], np.zeros(3), np.ones(3)
    policy = Policy(layers, observation_mean=zeros, observation_std=ones, action_mid=[0], action_half=[1])
    with pytest.raises(TimeIsUp):
        Keeping(tmp_path, 2, until=0.0, printed=False).trained({"epoch": 4}, policy)
    assert Policy.load(tmp_path / policy_name(4)).action_size == 1


def test_the_answer_names_what_is_not_told_apart():
    noise = np.array([0.0, 2.0, 1.0, 4.0, 3.0, 5.0])
    means = np.array([80.0, 80.0, 60.0, 40.0, 20.0])
    scores = means[:, None] + np.array([noise, noise[::-1] - 1, noise, noise, noise])
    scored = Study(np.repeat(scores[..., None], 6, axis=-1), [5, 10, 15, 20, 25, 30], [], "a card")
    answer = answer_of(scored)
    assert "beta 0 scores highest (82)" in answer
    assert "(p above 0.05): 0.1 (82); below it: 0.25 (62), 0.5 (42), 1 (22)." in answer
    lines = table_of_scores(scored).splitlines()
    assert len(lines) == 2 + len(BETAS)
    assert lines[4] == "| 0.25 | 62.5 | 60.5 to 64.5 | 1.9 | 60, 62, 61, 64, 63, 65 | -20.0 | 0.03 |"
