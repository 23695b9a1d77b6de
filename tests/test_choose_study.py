"""The study of choosing: what it records, and the page that is made of it."""

from pathlib import Path
from typing import Any

import pytest

from runs import choose, choose_page, records

TRUTHS = {
    "good": {"difference": 8.0, "difference_se": 1.0},
    "chosen": {"difference": 4.0, "difference_se": 1.0},
    "bad": {"difference": -2.0, "difference_se": 1.0},
}
ABOUT: dict[str, Any] = {
    "world": "tanks",
    "decision": "try it, under watch",
    "tried": True,
    "chosen": "chosen",
    "candidates": {"bc": "bad", "micro": "chosen", "iql": None},
    "intervals": {"chosen": [1.0, 3.0], "bad": [1.0, 2.0]},
    "widening": 1.4,
    "explained": 0.9,
    "window": 20,
    "minutes": 30.0,
    "seconds": 1500.0,
    "truths": TRUTHS,
}
MADE = {"date": "2026-11-29", "commit": "abc", "processor": "one"}


def test_regret_is_what_is_lacking_of_the_range_and_an_interval_has_the_measurements_error():
    outcome = choose_page.Outcome(ABOUT)
    assert (outcome.decided, outcome.best, outcome.span) == (4.0, 8.0, 10.0)
    assert outcome.regret(outcome.decided) == pytest.approx(0.4)
    assert outcome.right  # better by four standard errors
    assert outcome.held() == (1, 2)  # 4 is within 3 and two errors; -2 is not within 1 and two errors
    kept = choose_page.Outcome(ABOUT | {"tried": False})
    assert kept.decided == 0.0 and kept.regret(kept.decided) == pytest.approx(0.8) and not kept.right


def test_a_recorded_choice_is_not_made_again_and_stands_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    monkeypatch.setattr(choose_page, "PAGE", tmp_path / "choose.md")
    monkeypatch.setattr(choose_page, "FIGURE", tmp_path / "choose.svg")
    monkeypatch.setattr(choose, "worlds", lambda *_: {"tanks": None})
    monkeypatch.setattr(choose, "tried", lambda *_: ABOUT)
    monkeypatch.setattr("sys.argv", ["choose", "data", "worlds", str(tmp_path)])
    choose.main()
    monkeypatch.setattr(choose, "tried", pytest.fail)
    choose.main()
    assert list(records.recorded("choose")) == ["tanks-30min"]
    records.record(
        "choose", "arm-30min", {"figures": ABOUT | {"world": "arm", "chosen": None, "reason": "Too few."}} | MADE
    )
    (tmp_path / "choose.md").write_text("old\n\n**Answer.** Yes.\n\n## Remarks\n\n* Kept.\n")
    choose_page.main()
    text = (tmp_path / "choose.md").read_text()
    assert "tanks: try it, under watch" in (tmp_path / "choose.svg").read_text()
    assert "| tanks | 20 | 90 % | try it, under watch | `chosen` |" in text
    assert "| tanks | −2.00 |  | 4.00 |" in text and text.endswith("* Kept.\n")
    assert "30 minutes on two cores" in text and "2 cells" in text and "**Answer.** Yes." in text
    assert "Without anything to judge, and not in the tables: arm (Too few)." in text
