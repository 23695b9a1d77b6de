"""A log in, a robust policy out: MICRO (arXiv 2312.03991), model-based offline RL in JAX."""

__version__ = "0.1.0"
