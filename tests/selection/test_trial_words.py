"""What a choice says of a trial, where the log does not decide."""

from micro_rl.reports.choice import words
from micro_rl.reports.choice.page import render
from micro_rl.reports.choice.record import TRY
from tests.selection.choices import choice
from tests.trust.judgements import evidence, judged


def test_where_the_log_does_not_decide_a_trial_would():
    made = choice(judged("iql-seed0-epoch2", evidence(-0.5, 4.0)))
    assert made.on_trial is not None and made.on_trial.name == "iql-seed0-epoch2"
    assert dict(words.summary(made))["trial"].startswith("of iql-seed0-epoch2 would tell, in at most")
    page = render(made)
    assert "What would change it" in page and "policies/iql-seed0-epoch2.safetensors in this folder" in page


def test_a_policy_that_more_speaks_against_is_passed_over():
    best = judged("td3_bc-seed0-epoch9", evidence(-0.1, 9.0, support=0.5))
    made = choice(best, judged("bc-seed0-epoch1", evidence(-1.0, 4.0)))
    assert made.on_trial is not None and made.on_trial.name == "bc-seed0-epoch1"
    alone = choice(best)
    assert alone.on_trial is None and words.trial(alone) == "" and "trial" not in dict(words.summary(alone))


def test_a_gain_that_no_trial_can_show_gets_none():
    made = choice(judged("bc-seed0-epoch1", evidence(-1.0, 1.0002)))
    assert made.on_trial is None and "trial" not in dict(words.summary(made))
    assert "is too small for so many windows" in words.trial(made)


def test_a_policy_that_is_handed_over_is_simply_tried():
    made = choice(judged("iql-seed0-epoch2", evidence(0.5, 4.0)), decision=TRY)
    assert words.trial(made).startswith("Try it for at most") and "How to try it" in render(made)


def test_what_is_handed_over_is_what_is_tried_even_where_only_anothers_trial_can_show_its_gain():
    sure = judged("iql-seed0-epoch2", evidence(0.0001, 0.0002))
    made = choice(sure, judged("micro-seed0-epoch3", evidence(-0.5, 8.0)), decision=TRY)
    assert made.on_trial is not None and made.on_trial.name == "iql-seed0-epoch2"
    assert "is too small for so many windows" in words.trial(made) and "micro" not in words.trial(made)
