"""Is the decision the same when the choice is killed? `python -m runs.choose_killed FOLDER LOG OUT [--kills 10]`.

FOLDER is a finished choice of LOG. It is made anew in OUT by its plan, and killed (SIGKILL, the choice and whatever it
has begun) at random moments; each time it goes on. At the end both decisions are compared, but for the time they took.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COMMAND = "from micro_rl.cli.main import main; main()"
MAY_DIFFER = ("seconds", "minutes", "command", "folder")
"""What may differ."""


def decided(folder: Path) -> Any:
    """A decision without what may differ."""
    return _compared(json.loads((folder / "decision.json").read_text()))


def _compared(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _compared(part) for name, part in value.items() if name not in MAY_DIFFER}
    return [_compared(part) for part in value] if isinstance(value, list) else value


def choose(log: str, plan: Path, out: Path, minutes: float, kill_after: float | None) -> bool:
    """Go on with the choice; whether it ended before it was killed."""
    words = ["choose", log, "--plan", str(plan), "--out", str(out), "--minutes", str(minutes), "--resume"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(kill_after)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)  # what it has begun must notice
        process.wait()
        return False
    if process.returncode:
        sys.exit(f"the choice ended with exit code {process.returncode}")
    return True


def main() -> None:
    """Make a choice anew under fire, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("log")
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between kills, at most")
    asked = parser.parse_args()
    question = json.loads((asked.folder / "question.json").read_text())
    moments, kills, began = random.Random(0), 0, time.monotonic()
    while True:
        after = moments.uniform(3, asked.every) if kills < asked.kills else None
        if choose(asked.log, asked.folder / "plan.json", asked.out, question["minutes"], after):
            break
        kills += 1
        print(f"killed {kills} times, {time.monotonic() - began:.0f} s", flush=True)
        time.sleep(2)  # the processes that it had begun look for it every second
    same = decided(asked.folder) == decided(asked.out)
    print(f"killed {kills} times: the decision is {'the same' if same else 'ANOTHER'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
