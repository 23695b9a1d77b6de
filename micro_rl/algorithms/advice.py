"""Which method when: what was measured here, in a line each (docs/results/methods.md, pendulum.md, support.md)."""

WHEN = (
    (
        "unsure",
        "`micro-rl choose LOG` tries several and judges them on rows that none of them saw",
    ),
    (
        "a narrow log, as `data info` calls it",
        "`bc` or `iql`, which keep its level (SafetyHalfCheetah, log 73.6: 70.6 and 69.2 on three seeds each), or "
        "`micro --preset cautious` (72.7, 73.7, 74.3); every method free of the log's actions fell far below it",
    ),
    (
        "a broad log of many policies",
        "a method with a model (halfcheetah-medium-replay, log 23.6: `micro` 42.3, `mobile` 42.2, `mopo` 41.2) or "
        "`cql` (40.9); `td3_bc` has 33.3 and `iql` 33.8 as early, and `bc` 2.6, for the mean of many is none of them",
    ),
    (
        "little time",
        "`bc`, `td3_bc`, `iql`: minutes where a model's fit alone takes as long; `cql`, `combo`, `rambo` and `edac` "
        "are the dearest",
    ),
)
"""A situation, and what to take."""
