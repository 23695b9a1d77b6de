"""Do two versions compute the same? `python -m benchmarks.same_bits OUT.json [--against BEFORE.json]`.

Four small jobs run through the command line: the demo, a sweep of two seeds by two betas, TD3+BC, and a run that is
killed and resumed. What each run wrote is kept as digests of its policy's arrays and of every epoch's figures without
their names and times, so that two versions compare even where a metric was renamed.
"""

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

CLI = (sys.executable, "-c", "from micro_rl.cli.main import main; main()")
SHORT = ("--epochs", "4", "--max-fit-epochs", "6")
DIGITS = 16


def run(*arguments: str) -> None:
    """Run one command to its end; its output is shown when it fails."""
    process = subprocess.run([*CLI, *arguments], capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"micro-rl {' '.join(arguments)}: exit code {process.returncode}\n{process.stderr}")


def run_killed(folder: Path, *arguments: str) -> None:
    """Run one command until its second epoch is written, kill it, and resume it."""
    process = subprocess.Popen([*CLI, *arguments], stdout=subprocess.DEVNULL)
    rows = folder / "metrics.jsonl"
    while process.poll() is None and not (rows.exists() and rows.read_bytes().count(b"\n") >= 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(*arguments, "--resume")


def policy_digest(path: Path) -> str:
    """SHA-256 of a policy's arrays, in the order of their sizes and bytes rather than names."""
    arrays = sorted((array.shape, array.tobytes()) for array in load_file(path).values())
    return hashlib.sha256(b"".join(raw for _, raw in arrays)).hexdigest()[:DIGITS]


def metric_values(path: Path) -> list[list[float]]:
    """Each epoch's figures, sorted, without names and without what depends on the clock."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        sorted(value for key, value in row.items() if not key.startswith("time/") and value is not None) for row in rows
    ]


def outcome(folder: Path) -> dict[str, Any]:
    """Digests and figures of every finished run at or below a folder."""
    runs = sorted(path.parent for path in folder.rglob("policy.safetensors"))
    return {
        str(run.relative_to(folder)): {
            "policy": policy_digest(run / "policy.safetensors"),
            "metrics": metric_values(run / "metrics.jsonl"),
            "fit": metric_values(run / "fit.jsonl") if (run / "fit.jsonl").exists() else [],
        }
        for run in runs
    }


def measure(out: Path) -> dict[str, dict[str, Any]]:
    """Run all four jobs below a folder."""
    run("demo", "--out", str(out / "demo"))
    run("sweep", "pendulum-demo", "--seeds", "2", "--grid", "beta=0,0.5", *SHORT, "--out", str(out / "sweep"))
    run("train", "pendulum-demo", "--method", "td3_bc", "--epochs", "3", "--out", str(out / "td3_bc"))
    run_killed(out / "killed", "train", "pendulum-demo", "--seed", "3", *SHORT, "--out", str(out / "killed"))
    return {job: outcome(out / job) for job in ("demo", "sweep", "td3_bc", "killed")}


def differences(before: dict, after: dict) -> list[str]:
    """One line for every run whose policy or figures are not the same."""
    lines = []
    for job, runs in before.items():
        for name, old in runs.items():
            new = after.get(job, {}).get(name)
            if new is None:
                lines.append(f"{job}/{name}: missing")
                continue
            lines += [
                f"{job}/{name}: {part} differs" for part in ("policy", "metrics", "fit") if old[part] != new[part]
            ]
    return lines


def main() -> None:
    """Measure, write, and compare where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_bits", description=__doc__)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--against", type=Path, help="such a file of another version, made on the same machine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        after = measure(Path(folder))
    options.out.write_text(json.dumps(after, indent=1))
    for job, runs in after.items():
        for name, values in runs.items():
            print(f"{job}/{name}: policy {values['policy']}, {len(values['metrics'])} epochs")
    if options.against:
        lines = differences(json.loads(options.against.read_text()), after)
        print("\n".join(lines) or "the same bits")
        sys.exit(bool(lines))


if __name__ == "__main__":
    main()
