"""Pages, tables and pictures of logs, runs and comparisons, and the statistics behind them."""

import logging

# Before anything here imports it: where no home can be written it would speak of its cache.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
