"""A second adapter on the target weights that a model holds already."""

from __future__ import annotations

import copy

from .chain_head import PackedChain
from .config import Adapter
from .gated_lora import Gate
from .parts import PARTS, attach, check_fit
from .ptp_model import PTPModel
from .target_facts import context_notes


def with_adapter(model: PTPModel, adapter: Adapter) -> PTPModel:
    """A model with the same frozen target, in the same memory, and another adapter. The first one stays as it is.

    With the fast CPU kernels the packed weights are shared too, and slots that draft behind calls are left out.
    ValueError if the adapter does not fit the target.
    """
    twin = copy.copy(model)
    for name in ("_modules", "_parameters", "_buffers"):
        twin.__dict__[name] = dict(model.__dict__[name])
    twin.gate, twin.adapter, twin.adapter_sha256 = Gate(), adapter.config, adapter.sha256
    twin.notes = context_notes(model.config) + check_fit(adapter.config, model.name, model.target_info)
    if model._fast is None:
        modules, notes = attach(model.target, adapter, twin.gate)  # around the layers that carry the first one's deltas
        twin.notes += notes
    else:
        small = {name: PARTS[name] for name in ("u_embed", "chain") if PARTS[name].wanted(adapter.config)}
        modules = {
            name: part.attach(model.target, adapter.config, getattr(adapter, name), twin.gate)
            for name, part in small.items()
        }
        modules["lora"] = {}
        twin._fast = model._fast.with_deltas(adapter.lora, adapter.config.lora, model.dtype)
    for name in PARTS:
        twin.__dict__.pop(name, None)
        twin._modules.pop(name, None)
        setattr(twin, name, modules.get(name))
    twin._packed_chain = None
    if model._fast is not None and twin.chain is not None:
        packed = model._packed_chain
        output = model.target.get_output_embeddings()
        twin._packed_chain = packed.beside(twin.chain) if packed else PackedChain(twin.chain, output)
    twin.engine = None if model.engine is None else model.engine.beside(twin)
    return twin
