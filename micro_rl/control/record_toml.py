"""The TOML beside a record: how `micro-rl data check` and `micro-rl train` read what the controller wrote."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from micro_rl._version import __version__
from micro_rl.control.guard import Guard
from micro_rl.core.toml_text import lines, quoted
from micro_rl.policy import Policy

if TYPE_CHECKING:
    from micro_rl.control.record import Names

BY_A_FLAG = "# by a flag: "
_WORDS = re.compile(r"`([^`]+)`|([^\W\d]\w*)")
_NO_COLUMNS = {"abs", "sqrt", "exp", "log", "sin", "cos", "tan", "hypot", "min", "max", "and", "or", "not"}
"""Words of a formula that mean no column (`micro_rl.core.expression`)."""


def toml_of(name: str, names: Names, policy: Policy, guard: Guard | None = None, episode: int = 0) -> bytes:
    """Describe a record in the words of a log.

    Args:
        name: of the record's file.
        names: its columns.
        policy: whose log's reward, ends and set-points are those of the record, where these are made of its columns.
        guard: whose rate and log are told, for `micro-rl monitor` and for people.
        episode: the first one that the policy acts in.
    """
    own, known = names.own, words_of(policy.mapping)
    reward = known.get("reward")
    formula = isinstance(reward, str) and is_of(reward, names)
    main = {
        "observations": names.observations,
        "actions": names.actions,
        "exogenous": [column for column in known.get("exogenous", ()) if column in names.observations],
        "reward": reward if formula else own["reward"],
        "episode": names.episode,
        "terminal": own["terminal"],
        "missing": None if formula else "drop",
        "group": own["who"],
        "where": f"{own['healthy']} == 1",
        "termination": known.get("termination"),
    }
    bounds = zip(names.actions, policy.action_low.tolist(), policy.action_high.tolist(), strict=True)
    units = zip(
        [*names.observations, *names.actions], (*policy.columns.observations, *policy.columns.actions), strict=True
    )
    of_guard = {} if guard is None else {"rate": guard.rate, "log": guard.log}
    tables = {
        "bounds": {name: [low, high] for name, low, high in bounds},
        "units": {name: column.unit for name, column in units if column.unit},
        "task": ({"env": policy.environment} if policy.environment else {}) | known.get("task", {}),
        "provenance": {"written_by": f"micro-rl {__version__}, Controller", **of_guard},
    }
    text = [
        f"# How to read {name}. Only healthy steps are learned from: complete, below the guard's limit, no alarm,",
        "# with an action that is known and within the policy's bounds, and of a reward that was told.",
        "# Where the alarms were something new and true, leave `where` out.",
        *lines((key, value) for key, value in main.items() if value),
    ]
    for title, content in tables.items():
        text += ["", f"[{title}]", *lines(content.items())] if content else []
    return ("\n".join(text) + "\n").encode() + acts_from(episode, policy.sha256)


def acts_from(episode: int, sha256: str) -> bytes:
    """The lines that say which policy acts from an episode on: they end the TOML, and later ones are put behind.

    Args:
        episode: the first one.
        sha256: the digest of the policy's file, empty where it is not known.
    """
    return f"\n[[provenance.policies]]\nfirst_episode = {episode}\nsha256 = {quoted(sha256)}\n".encode()


def policies_of(described: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    """The policies that acted, each with its first episode, as `acts_from` told them; none of older records.

    Raises:
        ValueError: what stands in their place is something else.
    """
    provenance = described.get("provenance", {})
    tables = provenance.get("policies", []) if isinstance(provenance, dict) else None
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("provenance.policies are no tables")
    entries = [(table.get("first_episode"), table.get("sha256")) for table in tables]
    if not all(type(episode) is int and isinstance(sha256, str) for episode, sha256 in entries):
        raise ValueError("provenance.policies need first_episode, a whole number, and sha256, a text")
    return tuple(sorted(entries, key=lambda entry: entry[0]))


def newest_policy(toml: str) -> str:
    """The digest of the policy that acted last by a record's TOML; empty where that cannot be told."""
    try:
        policies = policies_of(tomllib.loads(toml))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return ""
    return policies[-1][1] if policies else ""


def acted_since(known: str, described: str) -> bytes:
    """The lines that tell of the policies that one TOML of a record has and another has not; none where one is no TOML.

    Args:
        known: the text of the TOML that is to be told.
        described: the text of the one that has been kept up.
    """
    try:
        told, policies = (policies_of(tomllib.loads(text)) for text in (known, described))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return b""
    return b"".join(acts_from(*entry) for entry in policies if entry not in told)


def words_of(mapping: str) -> Mapping[str, Any]:
    """Read how the policy's log was described, flags over the TOML; nothing where that cannot be read."""
    flags = [line.removeprefix(BY_A_FLAG) for line in mapping.splitlines() if line.startswith(BY_A_FLAG)]
    try:
        return tomllib.loads(mapping) | tomllib.loads("\n".join(flags))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def is_of(formula: str, names: Names) -> bool:
    """Whether a formula over columns, which has been read before, can be computed from the record's."""
    words = {quoted or bare for quoted, bare in _WORDS.findall(formula)} - _NO_COLUMNS
    return words <= {*names.observations, *names.actions}
