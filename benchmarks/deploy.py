"""Microseconds per step of a policy and of what is exported of it: `python -m benchmarks.deploy`.

    python -m benchmarks.deploy [--hidden 256 256] [--observations 17] [--actions 6] [--history 1]
        [--guard 0] [--rounds 7]

The policy in NumPy, a controller around it, its Python export, its ONNX export in onnxruntime (on one thread, where it
is installed), and its C export with the flags of the export's own trial and with the machine's vector units, decide on
the same observations, one at a time, in turn: `rounds` rounds of STEPS steps each.
Of each the median and the range over the rounds are
printed, and its share of the policy's time within a round. The C program times itself around its steps, without reading
or writing.
"""

import argparse
import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.controllers import controllers
from benchmarks.machine import describe
from micro_rl.control.guard import PARTS, Before, Guard
from micro_rl.core import windows
from micro_rl.deploy.c_files import c_text
from micro_rl.deploy.c_tables import memory
from micro_rl.deploy.onnx_file import onnx_model
from micro_rl.deploy.onnx_running import OnnxPast, runtime, session
from micro_rl.deploy.python_file import python_text
from micro_rl.deploy.running import FLAGS, compiler
from micro_rl.deploy.source import Source
from micro_rl.policy import Policy

STEPS = 2000
BUILDS = {"exported C, -O2": (), "exported C, -O3 -march=native": ("-O3", "-march=native")}
MAIN = """#include <stdio.h>
#include <time.h>
#include "exported.h"
static float observations[{steps}][EXPORTED_OBSERVATIONS];
int main(void)
{{
    exported_decision decision;
    float sum = 0.0f;
    {past}
    if (fread(observations, sizeof observations, 1, stdin) != 1) return 1;
    clock_t began = clock();
    for (int step = 0; step < {steps}; step++) {{
        {act};
        sum += decision.action[0];
    }}
    printf("%.9g %g\\n", (double) (clock() - began) / CLOCKS_PER_SEC, (double) sum);
    return 0;
}}
"""


def random_policy(options: argparse.Namespace) -> Policy:
    """A network of the sizes asked for, its hidden units active about half of the time."""
    rng = np.random.default_rng(0)
    sizes = [windows.width(options.observations, options.actions, options.history), *options.hidden]
    sizes.append(2 * options.actions)
    layers = [(np.sqrt(2 / a) * rng.normal(size=(a, b)), 0.1 * rng.normal(size=b)) for a, b in pairwise(sizes)]
    mid, half = np.zeros(options.actions), np.ones(options.actions)
    mean, std = np.zeros(sizes[0]), np.ones(sizes[0])
    return Policy(
        layers, observation_mean=mean, observation_std=std, action_mid=mid, action_half=half, history=options.history
    )


def random_source(options: argparse.Namespace) -> Source:
    """The policy, with a guard that has as many rows of reference as asked for, where these are any."""
    policy, rng = random_policy(options), np.random.default_rng(2)
    obs, act, ones = options.observations, options.actions, np.ones(options.observations)
    if not options.guard:
        return Source(policy)
    references, weights = rng.normal(size=(options.guard, obs)), 0.1 * rng.normal(size=(1 + obs + act, obs))
    units = {"center": 0 * ones, "scale": ones, "action_center": np.zeros(act), "action_scale": np.ones(act)}
    parts = {"low": -3 * ones, "high": 3 * ones, "residual_scale": ones, "whitening": np.eye(obs), "still_cost": ones}
    numbers = {"usual": np.ones(len(PARTS)), "threshold": 1.0, "rate": 0.01, "columns": policy.columns}
    return Source(policy).guarded(Guard(references=references, weights=weights, **units, **parts, **numbers))


def guarded(source: Source) -> Callable[[np.ndarray], Any]:
    """A step of the policy in NumPy and, where there is one, of its guard, which is told what the policy did."""
    policy, guard, past = source.policy, source.guard, []
    if guard is None:
        return policy

    def step(observation: np.ndarray) -> None:
        reading = guard.read(observation, Before(*past) if past else None)
        past[:] = [observation, policy(observation), reading.memory]

    return step


def python_step(source: Source, folder: Path) -> Callable[[np.ndarray], Any]:
    """A step of the exported Python file."""
    path = folder / "exported.py"
    path.write_text(python_text(source, "exported"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("exported", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Past().step if source.before else module.act


def onnx_step(source: Source) -> Callable[[np.ndarray], Any]:
    """A step of the exported ONNX in onnxruntime."""
    model = session(onnx_model(source).SerializeToString())
    if source.before:
        return OnnxPast(model).step
    return lambda observation: model.run(None, {"observation": observation[None].astype(np.float32)})


def c_programs(source: Source, folder: Path) -> dict[str, Path]:
    """The exported C in programs that time themselves, by how they are compiled; none without a compiler."""
    command, text = compiler(), c_text(source, "exported", "exported")
    if command is None:
        return {}
    act, past = "exported_act(observations[step], &decision)", ""
    if source.before:
        act, past = "exported_step(&past, observations[step], &decision)", "exported_past past; exported_begin(&past);"
    (folder / "exported.h").write_text(text.header)
    (folder / "exported.c").write_text(text.code)
    (folder / "main.c").write_text(MAIN.format(steps=STEPS, act=act, past=past))
    sources = [str(folder / name) for name in ("main.c", "exported.c")]
    programs = {name: folder / f"timed-{number}" for number, name in enumerate(BUILDS)}
    for name, program in programs.items():
        subprocess.run([command, *FLAGS, *BUILDS[name], *sources, "-o", str(program), "-lm"], check=True)
    return programs


def seconds(step: Callable[[np.ndarray], Any], observations: np.ndarray) -> float:
    """Of all steps, in the processor's time."""
    began = time.process_time()
    for observation in observations:
        step(observation)
    return time.process_time() - began


def measured(source: Source, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Microseconds per step of each, round by round."""
    policy = source.policy
    observations = np.random.default_rng(1).normal(size=(STEPS, policy.observation_size))
    given = observations.astype(np.float32).tobytes()
    programs = c_programs(source, folder)
    steps = {"the policy, NumPy": guarded(source), "exported Python": python_step(source, folder)}
    if (version := runtime()) is not None:
        steps[f"exported ONNX, {version}"] = onnx_step(source)
    steps |= controllers(policy, folder)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        policy.reset()
        for name, step in steps.items():
            times[name].append(seconds(step, observations))
        for name, program in programs.items():
            output = subprocess.run([str(program)], input=given, capture_output=True, check=True).stdout
            times.setdefault(name, []).append(float(output.split()[0]))
    return {name: [1e6 * each / STEPS for each in own[1:]] for name, own in times.items()}  # the first is to warm up


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deploy", description=__doc__)
    parser.add_argument("--hidden", type=int, nargs="*", default=[256, 256])
    parser.add_argument("--observations", type=int, default=17)
    parser.add_argument("--actions", type=int, default=6)
    parser.add_argument("--history", type=int, default=1)
    parser.add_argument("--guard", type=int, default=0, help="rows of reference of a guard; 0 for none")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    source = random_source(options)
    with tempfile.TemporaryDirectory() as folder:
        times = measured(source, options.rounds, Path(folder))
    for name, words in describe().items():
        print(f"{name}: {words}")
    print(f"C: {memory(source)}")
    print("| | microseconds per step, median | range | share of the policy's |\n|---|---|---|---|")
    first = next(iter(times.values()))
    for name, own in times.items():
        share = np.median([each / other for each, other in zip(own, first, strict=True)])
        print(f"| {name} | {np.median(own):.1f} | {min(own):.1f} to {max(own):.1f} | {share:.2f} |")


if __name__ == "__main__":
    main()
