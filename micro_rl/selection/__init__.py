"""From a log to a decision: a portfolio of methods, judged on episodes that none of them saw.

`micro_rl.choose(...)` is `micro_rl.selection.front.choose`.
"""
