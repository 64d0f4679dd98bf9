"""What the types of a trace cannot say: whether its calls tell one consistent story, in numbers that can be."""

from __future__ import annotations

from collections.abc import Iterable

from .trace import DecodeStep, Draft, Emitted, Trace

_ROUNDING = 1e-3  # by how much shares of float32 may miss [0, 1]
_LONGEST_SECONDS = 1e7
_LARGEST_TOKEN = 1 << 31


def check_story(trace: Trace) -> None:
    """ValueError with a sentence where positions do not count up, counts do not fit, or a number cannot be."""
    if not trace.steps:
        raise ValueError("This trace is empty: it has no steps.")
    _check_tokens(trace.prompt_tokens, "the prompt")
    for expected, token in enumerate(trace.emitted):
        if token.position != expected:
            raise ValueError(f"This trace is damaged: token {expected} says that it is token {token.position}.")
        _check_emitted(token)
    for expected, step in enumerate(trace.steps):
        if step.index != expected:
            raise ValueError(f"This trace is damaged: step {expected} says that it is step {step.index}.")
        _check_step(step)


def _check_emitted(token: Emitted) -> None:
    if not (0 <= token.left <= token.u < token.right <= 1):
        raise ValueError(f"This trace is damaged: u of token {token.position} lies outside its bin.")
    bins = all(0 <= c.left <= c.right <= 1 for c in token.candidates)
    listed = [token.prob, token.omitted_mass, token.excluded_mass]
    shares = [*listed, *(c.prob for c in token.candidates), *(c.prob for c in token.excluded)]
    spread = all(x is None or 0 <= x < 100 for x in (token.margin, token.entropy))
    if not bins or not spread or not _are_shares(shares):
        raise ValueError(f"This trace is damaged: token {token.position} has a probability that cannot be.")
    others = [*(c.token for c in token.candidates), *(c.token for c in token.excluded)]
    _check_tokens([token.token, *others], f"token {token.position}")


def _check_step(step: DecodeStep) -> None:
    where = f"step {step.index}"
    counted = 0 <= step.num_accepted <= len(step.drafts) < step.num_positions < _LARGEST_TOKEN
    if not counted or not 0 <= step.seconds <= _LONGEST_SECONDS:
        raise ValueError(f"This trace is damaged: the counts of {where} do not fit.")
    right = [draft.token for draft in step.drafts[: step.num_accepted]]
    own = [] if step.extra_token is None else [step.extra_token]
    if [token.token for token in step.emitted] != [*right, *own]:
        raise ValueError(f"This trace is damaged: {where} does not emit what it accepted.")
    accepted = [draft.status == "accepted" for draft in step.drafts]
    if accepted != [i < step.num_accepted for i in range(len(accepted))]:
        raise ValueError(f"This trace is damaged: the drafts of {where} are not those that it counts as accepted.")
    for branch in step.branches:
        slots = 0 if branch.num_slots is None else branch.num_slots
        if not 0 <= branch.num_assumed <= len(step.drafts) or not 0 <= slots <= step.num_positions:
            raise ValueError(f"This trace is damaged: a branch of {where} assumes more than there is.")
    every = [*step.drafts, *(draft for branch in step.branches for draft in branch.drafts)]
    _check_drafts(every, [branch.probability for branch in step.branches], where)


def _check_drafts(drafts: list[Draft], probabilities: list[float], where: str) -> None:
    if not _are_shares([*(x for d in drafts for x in (d.u, d.prob, d.margin)), *probabilities]):
        raise ValueError(f"This trace is damaged: a draft of {where} has a probability that cannot be.")
    _check_tokens([draft.token for draft in drafts], where)


def _are_shares(numbers: Iterable[float]) -> bool:
    """Whether all lie between 0 and 1, but for rounding. NaN does not."""
    return all(-_ROUNDING <= number <= 1 + _ROUNDING for number in numbers)


def _check_tokens(tokens: Iterable[int], where: str) -> None:
    if not all(0 <= token < _LARGEST_TOKEN for token in tokens):
        raise ValueError(f"This trace is damaged: {where} holds a number that is no token.")
