"""Outside peers: transformers' own generate on the same weights, dtype and device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from ..model.ptp_model import PTPModel
from ..sampling import SamplingConfig
from .questions import Question
from .rows import Row

_LOOKUP_TOKENS = 10  # transformers' own default number of prompt-lookup candidates


class Peers:
    """The peer that everyone knows: plain sampling, prompt lookup or a smaller assistant model.

    They draw their own noise, so their texts differ from ours and nothing is promised about identity.
    """

    def __init__(self, model: PTPModel, assistant: str | None = None) -> None:
        from ..storage.load import load_target

        dtype = str(model.dtype).removeprefix("torch.")
        loaded = load_target(model.source, model.device.type, dtype)
        self._target = loaded.model
        self._eos = sorted(model.eos_tokens)
        self._target.set_attn_implementation("sdpa")
        self._target.generation_config = self._bare()
        self._assistant: Any = None
        if assistant is not None:
            found = load_target(assistant, model.device.type, dtype)
            if found.tokenizer.get_vocab() != loaded.tokenizer.get_vocab():
                raise ValueError(f"{assistant} has another vocabulary than {model.name}, so it cannot assist it here.")
            self._assistant = found.model
            self._assistant.set_attn_implementation("sdpa")
            self._assistant.generation_config = self._bare()

    def _bare(self, **settings: Any) -> Any:
        """A generation configuration with these settings and the lab's ends of text, and nothing else.

        The model's own may hold a repetition penalty, beams, stop strings and more, which the lab does not know.
        """
        from transformers import GenerationConfig

        return GenerationConfig(eos_token_id=self._eos or None, pad_token_id=0, **settings)

    @torch.inference_mode()
    def answer(
        self,
        question: Question,
        ids: Sequence[int],
        method: str,
        sampling: SamplingConfig,
        max_new_tokens: int,
        seed: int,
    ) -> Row:
        """The row of one answer; a call is a forward pass of the target."""
        torch.manual_seed(seed)
        settings: dict[str, Any] = {"max_new_tokens": max_new_tokens, "do_sample": sampling.temperature > 0}
        if sampling.temperature > 0:
            settings |= {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
        if method == "hf_prompt_lookup":
            settings["prompt_lookup_num_tokens"] = _LOOKUP_TOKENS
        other = {"assistant_model": self._assistant} if method == "hf_assisted" else {}
        calls = 0

        def count(*_: Any) -> None:
            nonlocal calls
            calls += 1

        handle = self._target.register_forward_hook(count)
        inputs = torch.tensor([list(ids)], device=self._target.device)
        try:
            start = time.perf_counter()
            out = self._target.generate(
                inputs, attention_mask=torch.ones_like(inputs), generation_config=self._bare(**settings), **other
            )
            tokens = out[0, len(ids) :].tolist()
            seconds = time.perf_counter() - start
        finally:
            handle.remove()
        return Row(
            question.question_id, question.category, method, len(tokens), calls, round(seconds, 6), None,
            seed=seed, tokens=tokens,
        )  # fmt: skip
