"""Timing on a machine whose speed drifts: every block of work stands between two blocks of plain matmul."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.workload import Case, Scale


class Figure(NamedTuple):
    """Median and range over repeated blocks."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        """Of the blocks' own figures."""
        return cls(statistics.median(values), min(values), max(values))

    def through(self, function: Callable[[float], float]) -> "Figure":
        """The same blocks in another unit; `function` is monotonic."""
        median, *ends = (function(value) for value in self)
        return Figure(median, min(ends), max(ends))


class Timing(NamedTuple):
    """A case: seconds per call, share of the matmul rate around it, cores kept busy."""

    seconds: Figure
    share: Figure
    cores: Figure


class Block(NamedTuple):
    """Seconds per call and processor seconds per second of one block."""

    seconds: float
    cores: float


def block(call: Callable[[], object], repeats: int) -> Block:
    """`repeats` calls in a row; each call waits for its own end."""
    wall, busy = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        call()
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    return Block(wall / repeats, busy / wall)


def repeats_for(call: Callable[[], object], seconds: float) -> int:
    """How many calls fill a block, by the second call: the first one compiles."""
    call()
    return max(1, round(seconds / block(call, 1).seconds))


def matmul(size: int) -> Callable[[], object]:
    """A product of two float32 matrices of `size` x `size`: 2 size^3 operations."""
    left, right = jax.random.normal(jax.random.key(0), (2, size, size))
    product = jax.jit(jnp.matmul)
    return lambda: jax.block_until_ready(product(left, right))


def interleaved(cases: list[Case], scale: Scale, say: Callable[[str], None]) -> tuple[Figure, dict[str, Timing]]:
    """The matmul rate in operations per second, and every case's timing by name."""
    multiply = matmul(scale.matmul)
    multiplications = repeats_for(multiply, scale.block_seconds / 3)
    repeats: dict[str, int] = {}
    for case in cases:
        say(f"compiling: {case.label}")
        repeats[case.name] = repeats_for(case.call, scale.block_seconds)

    def rate() -> float:
        return 2 * scale.matmul**3 / block(multiply, multiplications).seconds

    rates, blocks, shares = [rate()], {case.name: [] for case in cases}, {case.name: [] for case in cases}
    for number in range(scale.blocks):
        say(f"block {number + 1} of {scale.blocks}")
        for case in cases:
            blocks[case.name].append(block(case.call, repeats[case.name]))
            rates.append(rate())
            around = (rates[-2] + rates[-1]) / 2
            shares[case.name].append(case.flops / blocks[case.name][-1].seconds / around)
    timings = {
        name: Timing(
            Figure.of([b.seconds for b in block]), Figure.of(shares[name]), Figure.of([b.cores for b in block])
        )
        for name, block in blocks.items()
    }
    return Figure.of(rates), timings
