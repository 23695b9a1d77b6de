"""Logs: one reader per format, one `Dataset` for everything that learns from them."""

from micro_rl.core.columns import Column, Columns
from micro_rl.data.dataset import Dataset
from micro_rl.data.history import windowed
from micro_rl.data.loading import load
from micro_rl.data.read_options import ReadOptions

__all__ = ["Column", "Columns", "Dataset", "ReadOptions", "load", "windowed"]
