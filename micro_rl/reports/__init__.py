"""Pages, tables and pictures of logs, runs and comparisons, and the statistics behind them."""
