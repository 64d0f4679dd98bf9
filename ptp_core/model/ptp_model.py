"""PTPModel: one frozen causal LM that verifies at real tokens and drafts at u-slots.

Q rows of a call = R real tokens, then S u-slots    V vocabulary    E hidden size
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..sampling import SamplingConfig, warp
from . import attention
from .chain_head import ChainHead, PackedChain
from .config import Adapter, AdapterConfig
from .gated_lora import Gate, GatedLoraLinear
from .kernels.llama_inference import FastLlama
from .kernels.llama_training import TrainLlama, lean_layers
from .kernels.products import PackedLinear, can_pack, is_llama_layout
from .layout import additive, call_layout
from .parts import PARTS, attach, check_fit
from .target_facts import context_notes, context_of, dimensions, weights_id
from .tokenizer import TextSide
from .u_embedding import UEmbedding

DEEP_PARTS = ("lora", "u_embed", "chain")  # of slots that run through all layers


class PTPModel(TextSide, nn.Module):
    """A transformers causal LM, its tokenizer and, where there is one, a PTP adapter.

    Without an adapter it still decodes autoregressively and by prompt lookup. quick=True swaps in the
    CPU's inference kernels (kernels/llama_inference.py); the target can then no longer be trained or moved.
    """

    lora: dict[str, GatedLoraLinear]  # by the layer's name
    u_embed: UEmbedding
    chain: ChainHead | None
    engine: Any = None  # an engine.Engine that makes the calls of decoding; None: forward does

    def __init__(
        self,
        target: Any,
        tokenizer: Any,
        adapter: Adapter | None = None,
        *,
        name: str = "model",
        source: str | None = None,
        target_info: Mapping[str, Any] | None = None,
        quick: bool = False,
    ) -> None:
        super().__init__()
        self.target: Any = target
        self.target.requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.source = source  # what load_target takes to load the same weights again; None: the default
        self.notes = context_notes(target.config)  # what a user should know about this combination
        self.config: Any = target.config
        self.target_info = {**dimensions(target), **(target_info or {})}
        self.weights_id = weights_id(target)  # which weights these are, whatever the folder is called
        self.max_context = context_of(target.config)  # most tokens, prompt and answer together
        self.gate = Gate()
        self._lock = threading.Lock()
        self._labels: dict[int, str] = {}
        self._embed: Any = self.target.get_input_embeddings()
        self.num_tokens = int(self._embed.num_embeddings)
        self.device: torch.device = self._embed.weight.device
        self.dtype: torch.dtype = self._embed.weight.dtype
        head = _float32_head(target)
        self._head_device: torch.device = head.weight.device
        fast = quick and can_pack() and is_llama_layout(self.target.base_model)
        packs = self.device.type == "cpu" and can_pack()
        self._head: Any = PackedLinear(head.weight, head.bias) if packs else head
        self.adapter = adapter.config if adapter else None
        self.adapter_sha256 = adapter.sha256 if adapter else ""
        modules: dict[str, Any] = {}
        if adapter:
            self.notes += check_fit(adapter.config, self.name, self.target_info)
            modules, notes = attach(self.target, adapter, self.gate)
            self.notes += notes
        for key, part in PARTS.items():
            setattr(self, key, modules.get(key))
            if fast and key in modules:
                part.freeze(modules[key])
        self._fast = FastLlama(self.target.base_model) if fast else None
        self._packed_chain = PackedChain(self.chain, head) if fast and self.chain is not None else None
        self._lean: TrainLlama | None = None  # from train_adapter on, where it fits

    @property
    def is_fast(self) -> bool:
        """Whether the CPU's inference kernels are in use."""
        return self._fast is not None

    def token_limit(self, ids: Sequence[int], max_new_tokens: int) -> int:
        """How many tokens may be generated. ValueError if there is no prompt, no room for an answer, or a token that
        the network does not know."""
        if not ids:
            raise ValueError("The prompt is empty.")
        self.check_tokens(ids)
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be 1 or more, got {max_new_tokens}.")
        room = self.max_context - len(ids)
        if room < 1:
            raise ValueError(
                f"The prompt has {len(ids)} tokens; {self.name} reads {self.max_context} at most, its answer included."
            )
        return min(max_new_tokens, room)

    # ---- forward -------------------------------------------------------------------------------

    def forward(
        self,
        tokens: Tensor,
        slots: Tensor | None = None,
        *,
        positions: Tensor,
        mask: Tensor,
        cache: attention.KVCache | None = None,
    ) -> Tensor:
        """Last hidden states (B, Q, E) of real tokens (B, R), then u-slots (B, S, E) that are embedded already.

        positions (Q,) or (B, Q); mask (Q, C + Q) bool with C = cache.length, or additive (B, 1, Q, C + Q).
        The delta acts on the slot rows of this call only. The cache is written but not advanced.
        With the fast CPU kernels, B must be 1.
        """
        embeddings = self._embed(tokens)
        if slots is not None:
            embeddings = torch.cat([embeddings, slots.to(embeddings.dtype)], dim=1)
        if mask.ndim == 2:
            mask = additive(mask, embeddings.device, embeddings.dtype)[None, None]
        positions = positions.to(embeddings.device)
        first_slot = tokens.shape[1] if slots is not None else None
        if self._fast is not None:
            return self._fast(embeddings[0], positions, mask, cache, first_slot)[None]
        if self._lean is not None and slots is None and cache is not None:
            return self._lean.real(embeddings, positions, mask, cache)
        with self._lock:
            self.gate.first_slot = first_slot
            try:
                out = self.target.base_model(
                    inputs_embeds=embeddings,
                    attention_mask=mask,
                    position_ids=positions[None] if positions.ndim == 1 else positions,
                    past_key_values=cache,
                    use_cache=cache is not None,
                )
            finally:
                self.gate.first_slot = None
        return out.last_hidden_state

    def forward_windows(self, slots: Tensor, *, positions: Tensor, mask: Tensor, context: attention.KVCache) -> Tensor:
        """Last hidden states (B, N, L, E) of training windows (B, N, L, E) over cached real rows.

        positions (B, N L); mask additive (B, 1, N L, S): which real rows each slot sees. Differentiable
        in the slots and the adapter; the context stays constant. Not for the fast CPU kernels.
        """
        windows = attention.Windows(context, slots.shape[2])
        if self._lean is not None:
            return self._lean.windows(slots, positions, mask, windows)
        with self._lock:
            self.gate.first_slot = 0
            try:
                out = self.target.base_model(
                    inputs_embeds=slots.flatten(1, 2),
                    attention_mask=mask,
                    position_ids=positions,
                    past_key_values=windows,
                    use_cache=True,
                    windows=windows,
                )
            finally:
                self.gate.first_slot = None
        return out.last_hidden_state.view(*slots.shape)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., E) -> (..., V), float32 whatever the model's dtype."""
        return self._head(hidden.to(self._head_device, torch.float32))

    def embed_slots(
        self,
        u: Tensor,
        temperature: Tensor | float,
        firsts: Tensor,
        anchors: Tensor,
        parents: Tensor | None = None,
    ) -> Tensor:
        """Input embeddings (R, E), in the model's dtype, of R slots with u (R,), one window after the other.

        A slot carries its u. With a start slot, it carries the u before, and the window's first slot carries a
        learned vector. firsts (W,): the rows at which a window or branch begins. anchors (W,): the last token before
        each; if the adapter was trained so, the first slot also gets its embedding. parents (R,): the slot before each
        where slots form a tree instead (-1: none).
        """
        config, firsts = self.require_adapter(), firsts.to(self.device)
        slots = self.u_embed(u.to(self.device), temperature)
        if config.start_slot:
            before = slots.roll(1, 0) if parents is None else slots[parents.clamp(min=0).to(self.device)]
            slots = before.index_copy(0, firsts, self.u_embed.start.expand(len(firsts), -1))
        slots = slots.to(self.dtype)
        if not config.anchor:
            return slots
        return slots.index_add(0, firsts, self._embed(anchors.to(self.device)))

    def chained(self, slots: Tensor, before: Tensor, settling: Tensor) -> Tensor:
        """Hidden states (R, E), float32, of slots (R, E) that are told the tokens `before` (R, 2) their own.

        settling (R, E): the state that settled the first token of the branch. ValueError without a chain head.
        """
        if self.chain is None:
            raise ValueError(f"The adapter of {self.name} has no chain head.")
        slots, settling = slots.to(self.device), settling.to(self.device)  # a target may lie on several GPUs
        return self.chain(slots, self._embed(before.to(self.device)), settling)

    @torch.inference_mode()
    def chain_logits(self, slots: Tensor, before: Tensor, settling: Tensor) -> Tensor:
        """Logits (R, V), float32, behind `chained`, for drafting: on the fast CPU kernels in PackedChain's dtype."""
        if self._packed_chain is None:
            return self.logits(self.chained(slots, before, settling))
        return self._packed_chain(slots, self._embed(before), settling)

    def new_cache(self, max_rows: int) -> attention.KVCache:
        return attention.KVCache(int(self.config.num_hidden_layers), max_rows)

    @torch.inference_mode()
    def target_logits(self, ids: Sequence[int]) -> Tensor:
        """Logits (len(ids), V), float32, of the frozen target: row i is for the token behind ids[i]."""
        return self.logits(self._hidden(ids, None)[0])

    @torch.inference_mode()
    def draft_logits(
        self, ids: Sequence[int], u: Sequence[float] | Tensor, sampling: SamplingConfig | None = None
    ) -> Tensor:
        """Logits (len(u), V), float32, of the slots for the len(u) tokens behind ids, without the chain head.

        o-ptp: row k has its maximum at the draft of token k. Other variants: softmax of row k is the
        draft's distribution of token k; its first row is the target's own, already warped.
        Raises ValueError without an adapter.
        """
        config = self.require_adapter()
        sampling = sampling or SamplingConfig(order=config.order)
        u = torch.as_tensor(u, dtype=torch.float32).reshape(-1)
        carried = u[: len(u) - config.lead]
        anchor = torch.tensor(ids[-1:])
        slots = self.embed_slots(carried, sampling.temperature, torch.tensor([0]), anchor) if len(carried) else None
        hidden = self._hidden(ids, slots)[0]
        rows = self.logits(hidden[len(ids) :])
        if config.lead:
            first = warp(self.logits(hidden[len(ids) - 1 : len(ids)]), sampling).log()
            rows = torch.cat([first, rows])
        return rows

    def offers(self, need: str) -> bool:
        """Whether it has what a method needs: nothing (""), an "adapter", or a part of one by its name."""
        return not need or (self.adapter is not None if need == "adapter" else getattr(self, need, None) is not None)

    def require_part(self, name: str) -> Any:
        """The module of an adapter's part; ValueError where there is none."""
        if not self.offers(name):
            raise ValueError(f"The adapter of {self.name} has no {PARTS[name].title}." if self.adapter else self._bare)
        return getattr(self, name)

    @property
    def _bare(self) -> str:
        return f"{self.name} has no PTP adapter, so it cannot draft. Load one, or choose a method that needs none."

    def require_adapter(self) -> AdapterConfig:
        if self.adapter is None:
            raise ValueError(self._bare)
        return self.adapter

    def _hidden(self, ids: Sequence[int], slots: Tensor | None) -> Tensor:
        lead, shift = (self.adapter.lead, self.adapter.position_shift) if self.adapter else (0, -1)
        branches = [(0, len(slots))] if slots is not None else []
        layout = call_layout(0, len(ids), 0, branches, lead, shift)
        tokens = torch.tensor([list(ids)], device=self.device)
        return self(tokens, None if slots is None else slots[None], positions=layout.positions, mask=layout.mask)

    # ---- adapter -------------------------------------------------------------------------------

    def train_adapter(self, parts: Sequence[str] = DEEP_PARTS) -> list[nn.Parameter]:
        """Makes these parts trainable, in float32 whatever the model's dtype; returns their parameters in this order.

        Parts that the adapter lacks are passed over. Raises ValueError with the fast CPU kernels.
        """
        self.require_adapter()
        if self.is_fast:
            raise ValueError("A model with the fast CPU kernels cannot be trained: load it with quick=False.")
        there = {name: module for name in parts if (module := getattr(self, name)) is not None}
        parameters = [p for name, module in there.items() for p in PARTS[name].unfreeze(module)]
        self._lean = lean_layers(self.target.base_model, self._embed)  # takes the new matrices
        self.engine = None  # it holds the old ones
        return parameters

    def adapter_weights(self) -> dict[str, Any]:
        """The weights of the adapter's parts by name, as save_adapter takes them."""
        there = {name: getattr(self, name) for name in PARTS}
        return {name: PARTS[name].weights(module) for name, module in there.items() if module is not None}

    def part_sizes(self) -> dict[str, int]:
        """How many numbers each of the adapter's parts holds."""
        weights = self.adapter_weights()
        return {name: sum(t.numel() for t in PARTS[name].to_file(part).values()) for name, part in weights.items()}


def _float32_head(target: Any) -> nn.Linear:
    """The output layer in float32: the target's own where it is that already, else a copy."""
    head = target.get_output_embeddings()
    if head.weight.dtype == torch.float32:
        return head
    copy = nn.Linear(head.in_features, head.out_features, bias=head.bias is not None, device="meta")
    copy.weight = nn.Parameter(head.weight.detach().float(), requires_grad=False)
    if head.bias is not None:
        copy.bias = nn.Parameter(head.bias.detach().float(), requires_grad=False)
    return copy
