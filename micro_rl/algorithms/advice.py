"""Which method when: what was measured here, in a line each (docs/results/methods.md, pendulum.md, support.md)."""

WHEN = (
    (
        "unsure",
        "`micro-rl choose LOG` tries several and judges them on rows that none of them saw",
    ),
    (
        "a narrow log, as `data info` calls it",
        "`bc` (SafetyHalfCheetah, log 73.6, early in training: 70.5 and 70.8), `iql` (69.0 and 71.0) or "
        "`micro --preset cautious` (70.7, 71.2, 73.3); every method free of the log's actions fell below 0, and so did "
        "`td3_bc` (-37.6 and -3.4)",
    ),
    (
        "a broad log of many policies",
        "a method with a model or `iql`, early in training (halfcheetah-medium-replay, log 23.6: `micro` 41.5 and "
        "40.0, `mobile` 41.4 and 40.3, `sac` 38.7 and 35.6, `iql` 32.0 and 32.5, `td3_bc` 37.0 and 15.3; "
        "hopper-medium-replay, log 14.8, one seed: `sac` and `iql` 32.1, `td3_bc` 25.2, `micro` 24.1); not `bc` (2.3 "
        "and 5.0; 9.4), for the mean of many is none of them",
    ),
    (
        "little time",
        "`bc`, `td3_bc`, `iql`: minutes where a model's fit alone takes as long; `cql`, `combo`, `rambo` and `edac` "
        "are the dearest",
    ),
)
"""A situation, and what to take."""
