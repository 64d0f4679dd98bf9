"""Whether a target can be decoded here: whole and finite weights, no state but keys and values, its own logits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import Tensor

from ..model.layout import call_layout
from ..model.ptp_model import PTPModel
from ..refusals import reason

PROBE = (3, 1, 4, 2)  # token ids that every vocabulary has
_WRONG = (2, 4)  # drafts that are taken back
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.2}  # relative: what other kernels may change
_LAYOUTS = "Llama, Mistral, Qwen, SmolLM and GPT-NeoX layouts work."


class NotAsItself(ValueError):
    """The model's logits, computed here, are not its own."""


def refuse_missing(name: str, missing: Collection[str]) -> None:
    """ValueError that names tensors which the checkpoint lacks: transformers fills them with random numbers."""
    if missing:
        raise ValueError(
            f"The checkpoint of {name} lacks {len(missing)} of its tensors ({_named(missing)}), so they would be "
            "random."
        )


def refuse_state(name: str, target: Any) -> None:
    """ValueError for a model that says itself that it keeps more than keys and values, as Mamba and RWKV do."""
    if getattr(target, "_is_stateful", False):
        raise ValueError(
            f"{name} keeps a state besides keys and values, as Mamba and RWKV do, so a wrong draft could not be taken "
            "back. The lab needs a model whose memory is keys and values alone."
        )


@torch.inference_mode()
def probe_logits(name: str, target: Any) -> Tensor:
    """The untouched model's own logits of PROBE, (4, V). ValueError where weights or logits are not finite."""
    broken = [key for key, tensor in target.named_parameters() if not _is_finite(tensor)]
    if broken:
        raise ValueError(f"The weights of {name} hold numbers that are not finite (NaN or infinite): {_named(broken)}.")
    weight = target.get_input_embeddings().weight
    logits = target(input_ids=torch.tensor([PROBE], device=weight.device)).logits[0].float()
    if not bool(torch.isfinite(logits).all()):
        kind = str(weight.dtype).removeprefix("torch.")
        raise ValueError(f"The weights of {name} overflow in {kind}: its logits are not finite numbers.")
    return logits


def _is_finite(tensor: Tensor) -> bool:
    if tensor.is_meta or not tensor.is_floating_point():
        return True
    total = tensor.sum(dtype=torch.float32)  # in one pass; where it is not finite, large numbers may be the cause
    return bool(torch.isfinite(total)) or bool(torch.isfinite(tensor).all())


def _named(tensors: Iterable[str]) -> str:
    names = sorted(tensors)
    return ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])


@torch.inference_mode()
def check_as_itself(model: PTPModel, probe: Tensor) -> None:
    """NotAsItself unless the logits computed here are the target's own (4, V), read at once and on a cache.

    Models that scale or cap their logits fail the first: they would decode, but not as themselves. Models with a state
    besides keys and values fail the second, behind drafts that are taken back.
    """
    try:
        whole = model.target_logits(PROBE)
    except Exception as error:
        raise NotAsItself(f"{model.name} is not Llama-like enough ({reason(error)}). {_LAYOUTS}") from None
    if not _close(whole, probe, model.dtype):
        raise NotAsItself(
            f"{model.name} is not Llama-like enough: its logits, computed here, differ from its own. {_LAYOUTS}"
        )
    try:
        again = _behind_a_rewind(model)
    except Exception as error:
        raise NotAsItself(f"{_state(model)} ({reason(error)}).") from None
    if not _close(again, probe[-len(again) :], model.dtype):
        raise NotAsItself(f"{_state(model)}.")


def _state(model: PTPModel) -> str:
    return (
        f"{model.name} keeps a state besides keys and values, or a cache of another kind, so the lab could not take a "
        "wrong draft back"
    )


def _behind_a_rewind(model: PTPModel) -> Tensor:
    """Logits (2, V) of PROBE's second half, read on a cache behind its first half and drafts that were taken back."""
    half = len(PROBE) // 2
    cache = model.new_cache(half + max(len(_WRONG), len(PROBE) - half))
    for start, tokens in ((0, (*PROBE[:half], *_WRONG)), (half, PROBE[half:])):
        layout = call_layout(start, len(tokens), 0)
        ids = torch.tensor([tokens], device=model.device)
        hidden = model(ids, positions=layout.positions, mask=layout.mask, cache=cache)[0]
        cache.keep(half)
    return model.logits(hidden)


def _close(ours: Tensor, theirs: Tensor, dtype: torch.dtype) -> bool:
    return float((ours.to(theirs.device) - theirs).norm() / theirs.norm()) < _TOLERANCE[dtype]
