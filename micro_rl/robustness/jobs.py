"""Which policies are tried by which protocol, where their results go; `robust` does it from Python."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from micro_rl.core import arguments
from micro_rl.core.tasks import at_limit
from micro_rl.errors import UserError
from micro_rl.robustness.cells import Protocol
from micro_rl.robustness.protocol_file import protocol_of
from micro_rl.robustness.results import Results
from micro_rl.robustness.running import Finished, Job, run
from micro_rl.robustness.subject import Subject, of_policy, of_run
from micro_rl.simulation.env_objects import EnvLike, name_of
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder


def robust(
    policy: str | Path,
    protocol: str | Path = "micro",
    *,
    env: EnvLike | None = None,
    episodes: int | None = None,
    seed: int = 0,
    horizon: int | None = None,
    critics: Sequence[str | Path] = (),
    out: str | Path | None = None,
    workers: int | None = None,
    watch: Callable[[Finished], None] = lambda _: None,
) -> dict[str, Any]:
    """Try a policy in perturbed worlds and under attack; finished cells are kept, and the same call goes on.

    Args:
        policy: a finished run's folder, or a policy's file.
        protocol: micro, micro-as-released, rorl, sa-rl, rrls, rfqi, industrial, or a TOML of your own.
        env: the simulator where it is not the run's own: its id, an instance, or a function or class that makes one,
            which processes of their own must be able to import.
        episodes: of each cell; by default the protocol's own number.
        seed: of the simulators' starts, the faults and the attacks; episode i starts from seed + i, so that seeds next
            to each other share episodes.
        horizon: an episode's time limit in steps, where the simulator has none.
        critics: run folders whose critics attack; by default the run's own.
        out: folder of the results, below it one for each policy; by default RUN/robust/PROTOCOL.
        workers: cells that are evaluated at once, by default one a core.
        watch: called after every cell.

    Returns:
        The summary: `unit`, and by group of cells the mean, the worst cell and the CVaR, each with its interval.

    Raises:
        UserError: before anything is evaluated, where policy, simulator, critics and protocol do not suit.
    """
    subject = arguments.path("policy", policy, "give a run's folder, or the file that policy.save wrote")
    protocol = str(arguments.path("protocol", protocol, "give its name, or the path of a TOML"))
    chosen = None if env is None else name_of(env)
    attackers, out = arguments.paths("critics", critics), arguments.optional_path("out", out)
    episodes, horizon = (arguments.optional_whole(*pair) for pair in (("episodes", episodes), ("horizon", horizon)))
    seed, workers = arguments.whole("seed", seed, 0), arguments.optional_whole("workers", workers)
    arguments.function("watch", watch, "print")
    cells, [job] = planned([subject], protocol, chosen, episodes, seed, horizon, attackers, out)
    run([job], cells, workers, watch)
    return read_json(job.results.path / "summary.json")


def planned(
    policies: Sequence[Path],
    protocol: str,
    env: str | None,
    episodes: int | None,
    seed: int,
    horizon: int | None,
    critics: tuple[Path, ...],
    out: str | Path | None,
) -> tuple[Protocol, list[Job]]:
    """Plan the trials of policies that share a simulator.

    Args:
        policies: run folders and policies' files.
        protocol, env, episodes, seed, horizon, critics, out: as `robust` takes them, the simulator by its name.

    Returns:
        The protocol for that simulator, and a job for each policy.

    Raises:
        UserError: as `robust`, and where the simulators differ.
    """
    subjects = [
        (of_run if path.is_dir() or not path.exists() else of_policy)(path, env, 1, seed, critics) for path in policies
    ]
    for path, subject in zip(policies, subjects, strict=True):
        if subject.env != subjects[0].env:
            raise UserError(
                f"{path}: is of {subject.env}, {policies[0]} of {subjects[0].env}: try them one after the other"
            )
    cells = protocol_of(protocol, subjects[0].env)
    _check_critics(critics, cells)
    critic = ", ".join(path.resolve().name for path in critics) or "its own"
    jobs = []
    for path, subject in zip(policies, subjects, strict=True):
        folder = Path(out) / path.resolve().name / cells.name if out else _default_folder(path, cells.name, critics)
        limits = {
            "episodes": cells.episodes if episodes is None else episodes,
            "horizon": subject.horizon if horizon is None else horizon,
            "notes": (*subject.notes, *_unit_note(path, subject, cells)),
        }
        jobs.append(Job(replace(subject, task=at_limit(subject.task, horizon), **limits), Results(folder), critic))
    return cells, jobs


def _check_critics(critics: tuple[Path, ...], protocol: Protocol) -> None:
    """Refuse critics that nothing asks, and those that are not there."""
    if critics and not any(cell.attack and cell.attack.aim == "min Q" for cell in protocol.cells):
        raise UserError(
            f"critic {critics[0]}: protocol {protocol.name} has no min Q attack, so nothing asks it; leave it out"
        )
    for critic in critics:
        RunFolder.open(critic)


def _unit_note(path: Path, subject: Subject, protocol: Protocol) -> list[str]:
    """What a person should see where the log's unit is asked for and a policy's file has none."""
    unknown = path.is_file() and set(subject.observation_std) == {1.0}
    if not unknown or not any(cell.in_log_units for cell in protocol.cells):
        return []
    return [
        f"{path}: does not know the log's standard deviations, since it does not standardise, so that its observations "
        "are attacked and disturbed in raw units; name the run folder to have the log's"
    ]


def _default_folder(path: Path, protocol: str, critics: tuple[Path, ...]) -> Path:
    """Attacks with other critics are other results, and stand beside those with the policy's own."""
    attackers = critics[0].resolve().name if len(critics) == 1 else f"{len(critics)}-runs"
    by = f"{protocol}-by-{attackers}" if critics else protocol
    folder = path if path.is_dir() else path.with_suffix("")
    return (path.with_name(f"{path.name}-robust") if folder.is_file() else folder / "robust") / by
