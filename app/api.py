"""The public endpoints, typed and documented; also the MCP tools. They run what the page runs."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any

from ptp_core.methods import METHODS, PAPER_METHOD, RACED
from ptp_core.sampling import COUPLINGS
from ptp_core.storage.built_in import BUILT_IN, is_here
from ptp_core.trace import Trace

from .race.events import RaceRunner
from .race.races import Race
from .serving.line import LINE
from .serving.models import ModelChoice, ModelShelf, model_for
from .settings import MAX_NEW_TOKENS, RunSettings

# What both say about the settings that they share, in the words that Gradio and MCP clients show.
_SETTINGS = f"""seed: the seed of the noise tape; the same seed gives the same text
            max_new_tokens: at most so many tokens, 1 to {MAX_NEW_TOKENS}
            temperature: 0 is greedy
            top_k: 0 is off
            top_p: 1 is off
            num_speculative_tokens: the most drafts one call verifies; null: what the adapter was trained for
            draft_budget: u-slots per call, or drafts where those are made behind it; a number or "auto"
            chat: put the prompt into the model's chat template
            coupling: the map from noise to tokens, one of {", ".join(COUPLINGS)}
            model: one of {", ".join(filter(is_here, BUILT_IN))}"""


def endpoints(shelf: ModelShelf) -> list[Callable[..., dict[str, Any]]]:
    """The two functions that anybody may call, on the models of this shelf."""
    runner = RaceRunner(shelf)

    def race(
        prompt: str,
        seed: int = RunSettings.seed,
        max_new_tokens: int = RunSettings.decoding.max_new_tokens,
        temperature: float = RunSettings.sampling.temperature,
        top_k: int = RunSettings.sampling.top_k,
        top_p: float = RunSettings.sampling.top_p,
        num_speculative_tokens: int | None = None,
        draft_budget: str = "auto",
        chat: bool = True,
        method: str = RunSettings.method,
        coupling: str = RunSettings.sampling.coupling,
        model: str = RunSettings.model,
    ) -> dict[str, Any]:
        """Decodes one prompt twice from the same noise: autoregressively and by Parallel Token Prediction.

        Args:
            prompt: the text to answer or continue
            SETTINGS
            method: how the parallel lane drafts, one of RACED

        Returns:
            {"ar": trace, "ptp": trace, "identical": bool, "first_divergence": position or null}
        """
        settings = RunSettings.parse(
            prompt=prompt, chat=chat, seed=seed, max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k,
            top_p=top_p, num_speculative_tokens=num_speculative_tokens, draft_budget=draft_budget, method=method,
            coupling=coupling, model=model,
        )  # fmt: skip
        result = Race(limit=settings.decoding.max_new_tokens)
        with LINE.run(token_urlsafe()) as running:  # its time counts for those who wait
            running.may_write(settings.decoding.max_new_tokens)
            for _ in runner.steps(model_for(ModelChoice(), model), settings, result):
                running.reached(result.reached)
        place = result.first_divergence
        lanes = {lane: trace.to_dict() for lane, trace in result.lanes.items()}
        return {**lanes, "identical": place is None, "first_divergence": place}

    def generate(
        prompt: str,
        method: str = PAPER_METHOD,
        seed: int = RunSettings.seed,
        max_new_tokens: int = RunSettings.decoding.max_new_tokens,
        temperature: float = RunSettings.sampling.temperature,
        top_k: int = RunSettings.sampling.top_k,
        top_p: float = RunSettings.sampling.top_p,
        num_speculative_tokens: int | None = None,
        draft_budget: str = "auto",
        chat: bool = True,
        coupling: str = RunSettings.sampling.coupling,
        model: str = RunSettings.model,
    ) -> dict[str, Any]:
        """Decodes one prompt by one method and returns the whole trace: every call, draft, branch and bin.

        Args:
            prompt: the text to answer or continue
            method: one of METHODS; all give the same text
            SETTINGS

        Returns:
            the trace (schema version 1)
        """
        settings = RunSettings.parse(
            prompt=prompt, chat=chat, seed=seed, max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k,
            top_p=top_p, num_speculative_tokens=num_speculative_tokens, draft_budget=draft_budget,
            method=method, coupling=coupling, model=model, among=METHODS,
        )  # fmt: skip
        trace: Trace | None = None
        with LINE.run(token_urlsafe()) as running:
            running.may_write(settings.decoding.max_new_tokens)
            for _, part in runner.decode(model_for(ModelChoice(), model), [settings]):
                if isinstance(part, Trace):
                    trace = part
                elif trace is not None:
                    trace.steps.append(part)
                    running.reached(len(trace.tokens) / settings.decoding.max_new_tokens)
        assert trace is not None
        return trace.to_dict()

    tools: list[Callable[..., dict[str, Any]]] = [race, generate]
    words = {"SETTINGS": _SETTINGS, "RACED": ", ".join(RACED), "METHODS": ", ".join(METHODS)}
    for tool in tools:
        for name, text in words.items():
            tool.__doc__ = str(tool.__doc__).replace(name, text)
    return tools
