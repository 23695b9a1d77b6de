"""The verbs of `micro-rl data`."""

from micro_rl.cli import run


def test_lists_its_verbs(capsys):
    for words in (["data"], ["data", "--help"]):
        assert run(words) == 0
        assert "micro-rl data check LOG" in capsys.readouterr().out


def test_an_unknown_verb_is_answered_with_the_nearest(capsys):
    assert run(["data", "chek"]) == 2
    assert "did you mean 'check'" in capsys.readouterr().err
