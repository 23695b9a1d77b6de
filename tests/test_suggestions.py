"""What is taken for meant, where a word is none of those that there are."""

import pytest

from micro_rl.core.renamed import in_our_words
from micro_rl.errors import did_you_mean

OPTIONS = ["--env", "--out", "--model", "--seed", "--epochs", "--actor-lr", "--critic-lr", "--learn-temperature"]
OPTIONS += ["--discount", "--tau", "--batch-size", "--model-batch-size", "--num-critics", "--beta"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--bta", "'--beta'"),
        ("--seeds", "'--seed'"),
        ("--learning-rate", "'--actor-lr' or '--critic-lr'"),
        ("--actor-learning-rate", "'--actor-lr'"),
        ("--gamma", "'--discount'"),
        ("--n-critics", "'--num-critics'"),
        ("--num-epochs", "'--epochs'"),
        ("--batch", "'--batch-size'"),
        ("--batch-of-model-size", "'--model-batch-size'"),
    ],
)
def test_options_by_their_spelling_their_words_and_the_names_that_others_have_for_them(typed: str, meant: str):
    ours = in_our_words(typed.removeprefix("--")).replace("_", "-")
    assert did_you_mean(f"--{ours}", OPTIONS) == f" (did you mean {meant}?)"


@pytest.mark.parametrize("typed", ["--device", "--gpu", "--workers"])
def test_what_is_like_nothing_is_taken_for_nothing(typed: str):
    assert did_you_mean(typed, OPTIONS) == ""


def test_no_more_than_four_and_only_whole_words_are_others_names():
    assert did_you_mean("a", ["a b", "a c", "a d", "a e", "a f"]) == " (did you mean 'a b', 'a c', 'a d' or 'a e'?)"
    assert did_you_mean("a", []) == ""
    assert in_our_words("gammas") == "gammas" and in_our_words("n_gamma") == "num_discount"
