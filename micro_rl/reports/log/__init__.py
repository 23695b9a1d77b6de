"""What is in a log: how it behaves, what it covers, what can be learned from it, and what cannot."""

from micro_rl.reports.log.describe import Insight, describe

__all__ = ["Insight", "describe"]
