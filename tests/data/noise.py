"""A log of noise for checks to speak of, and the sentence they say or refuse with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.data import Dataset
from micro_rl.data.checks import findings
from micro_rl.errors import UserError

ROWS, LENGTH = 600, 50
LOG = Path("log.npz")


def log(rows: int = ROWS, **parts: Any) -> Dataset:
    """Noise from -1 to 1 in two observations and two actions, in episodes of 50 rows."""
    random = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "observations": random.uniform(-1, 1, (rows, 2)),
        "actions": random.uniform(-1, 1, (rows, 2)),
    }
    fields |= {"rewards": random.uniform(-1, 0, rows), "timeouts": np.arange(1, rows + 1) % LENGTH == 0} | parts
    fields["timeouts"][-1] |= "timeouts" not in parts
    if "next_observations" not in fields:
        before = fields["observations"]
        fields["next_observations"] = np.concatenate([before[1:], before[-1:]])
        fields["next_observations"][np.asarray(fields["timeouts"], bool)] += 0.01
    return Dataset.from_arrays(**fields)


def sentence(problems: list[findings.Finding], kind: str) -> str | None:
    """The sentence of a kind, without the columns, or None; never two of a kind here."""
    texts = [problem.text for problem in problems if problem.kind == kind]
    assert len(texts) <= 1
    return texts[0] if texts else None


def refusal(check, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        check(*arguments)
    return str(caught.value)
