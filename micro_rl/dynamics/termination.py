"""When the episodes of a plan's model end: by a rule, by a head learned from the log, or nowhere, for want of one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.core import arguments
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Keys
from micro_rl.core.wording import plural, with_verb
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.dynamics import rule_identity, termination_classifier, termination_rules
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination_classifier import Steps
from micro_rl.dynamics.termination_rules import LEARNED, RULES, ByRule, Formula, Rule, Termination
from micro_rl.errors import UserError, in_words

HEAD_STREAM = 1 << 29
"""Folded into the fit's key, beyond the numbers that `split` uses: the head's draws disturb no others."""


class EpisodeEnds(ABC):
    """What a plan has decided about the ends of the model's episodes."""

    name: str | None
    """As config.json and the command line have it; None where no rule is known."""

    @property
    def on_page(self) -> str:
        """What a run's page says of it."""
        return self.name or "never"

    @property
    def can_be_typed(self) -> bool:
        """Whether a command line can ask for it."""
        return True

    def complete(self, model: FittedModel, dataset: Dataset, settings: ModelSettings, seed: int) -> FittedModel:
        """The model with whatever is needed to end its episodes."""
        return model

    def measurement(self, model: FittedModel) -> str:
        """What was measured of it, in a sentence; empty where nothing was."""
        return ""

    def answers(self, log: Dataset) -> str | None:
        """What a Python function says of this log's rows, by which it is known; None where the name says it all."""
        return None

    @abstractmethod
    def of(self, model: FittedModel | None, newest: int | None) -> Termination | None:
        """What a compiled rollout asks, if there is one; `newest`: in windows, the newest observation's columns."""


@dataclass(frozen=True)
class EndByRule(EpisodeEnds):
    """A rule, which holds no numbers."""

    name: str | None
    rule: Rule

    @property
    def can_be_typed(self) -> bool:
        return isinstance(self.rule, Formula) or self.rule in RULES.values()

    def answers(self, log: Dataset) -> str | None:
        return None if self.can_be_typed else rule_identity.answers_of(self.rule, log.next_observations[log.usable])

    def of(self, model: FittedModel | None, newest: int | None) -> Termination:
        return ByRule(self.rule, newest)


@dataclass(frozen=True)
class EndByHead(EpisodeEnds):
    """A head learned from the log's own terminals: the one that a model brings, else one learned now."""

    name: str | None = LEARNED

    def complete(self, model: FittedModel, dataset: Dataset, settings: ModelSettings, seed: int) -> FittedModel:
        if model.head is not None:
            return model
        rows = to_core(dataset.transitions(keep_timeouts=True), model.scaling)
        episode = np.searchsorted(dataset.stops, np.flatnonzero(dataset.usable), side="right")
        steps = Steps(np.asarray(rows.next_observation), np.asarray(rows.discount) == 0, episode)
        key = jax.random.fold_in(Keys.of(seed).fit, HEAD_STREAM)
        head, measured = termination_classifier.learn(steps, settings.termination_updates, key)
        return model._replace(head=head, about=model.about | {"termination": measured})

    def measurement(self, model: FittedModel) -> str:
        measured = model.about["termination"]
        learned = f"no rule says when episodes end: learned from {plural(measured['terminals'], 'terminal')}"
        if measured["precision"] is None or measured["recall"] is None:
            return f"{learned}, too few to hold some out and measure what was learned"
        ended = f"{measured['expected_terminals']:.0f}"
        episodes = plural(measured["held_out_episodes"], "held-out episode")
        return (
            f"{learned}; on {episodes} it ends {ended} {'row' if ended == '1' else 'rows'} "
            f"where {measured['held_out_terminals']} ended: precision {100 * measured['precision']:.0f} %, "
            f"recall {100 * measured['recall']:.0f} %"
        )

    def of(self, model: FittedModel | None, newest: int | None) -> Termination:
        assert model is not None and model.head is not None, "learned with the model"
        return model.head


@dataclass(frozen=True)
class NoRollouts(EpisodeEnds):
    """The method makes no rollouts: the log's terminals stand as they are."""

    name: str | None = None

    @property
    def on_page(self) -> str:
        return "where the log’s do"

    def of(self, model: FittedModel | None, newest: int | None) -> None:
        return None


def episode_ends(dataset: Dataset, termination: str | Rule | None = None) -> EpisodeEnds:
    """Decide when the episodes of a log's model end.

    Args:
        dataset: The log.
        termination: What was asked for: a rule's name, a condition, `learned`, or a function.

    Returns:
        That; else the condition that the log states, the rule of its name, a head where rows terminate, or never.

    Raises:
        UserError: There is no such rule, or no row to learn from.
    """
    if callable(termination):
        _try_rule(termination, dataset.observation_size)
        return EndByRule(rule_identity.name_of(termination), termination)
    if termination is not None:
        arguments.text("termination", termination, "give a rule's name, a condition, or a function")
    name = termination or _known(dataset)
    if name is None:
        return EndByRule(None, termination_rules.never)
    if name != LEARNED:
        return EndByRule(name, termination_rules.find(name, [column.name for column in dataset.columns.observations]))
    if not _learnable(dataset):
        _refuse_to_learn(dataset)
    return EndByHead()


def _try_rule(rule: Rule, columns: int) -> None:
    """Refuse a function that cannot be compiled or says something else than a boolean for each row."""
    rows = 3
    wanted = f"it must take next observations [row, {columns}] and give a boolean for each row"
    try:
        ended = jax.eval_shape(rule, jax.ShapeDtypeStruct((rows, columns), jnp.float32))
    except Exception as error:  # another's code: whatever it is
        raise UserError(f"termination: {in_words(error)}; {wanted}") from error
    if getattr(ended, "shape", None) != (rows,):
        shape = getattr(ended, "shape", type(ended).__name__)
        raise UserError(f"termination: gives {shape} for {rows} rows; {wanted}")


def needs_head(dataset: Dataset) -> bool:
    """Whether a model of this log is to end its episodes by a head, and there are rows to learn one from."""
    return _known(dataset) == LEARNED and _learnable(dataset)


def _known(dataset: Dataset) -> str | None:
    """The condition that the log states, else the rule of its name, else `LEARNED`; None where no row terminates."""
    stated = dataset.termination.text if dataset.termination is not None else dataset.task.termination
    return stated or (LEARNED if dataset.terminals.any() else None)


def _learnable(dataset: Dataset) -> bool:
    return bool((dataset.terminals & dataset.usable).any())


def _refuse_to_learn(dataset: Dataset) -> None:
    count = int(dataset.terminals.sum())
    ends = f"{with_verb(count, 'row', 'ends', 'end')} an episode"
    reason = f"{ends}, but without their next observations" if count else "no row ends an episode"
    raise UserError(
        f"{dataset.path}: {reason}, so it cannot be learned when episodes end; "
        f"name a rule with --termination ({', '.join(RULES)}), write one as a condition on the next observation, or "
        "pass a function from Python"
    )
