"""A study's progress on the console."""

from micro_rl.policy import Policy
from micro_rl.storage.jsonl import Row
from micro_rl.training.callbacks import Callback


class Lines(Callback):
    """One line an epoch."""

    def note(self, text: str) -> None:
        print(text, flush=True)

    def fitted(self, row: Row) -> None:
        print(f"fit {row['epoch']:3.0f}  holdout {row['holdout/mean']:.5f}", flush=True)

    def trained(self, row: Row, policy: Policy) -> None:
        names = ("epoch", "eval/return", "eval/normalised_score", "q/model", "conservative_term", "time/seconds")
        print("  ".join(f"{name} {row[name]:.3f}" for name in names if name in row), flush=True)
