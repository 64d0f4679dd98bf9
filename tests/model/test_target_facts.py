"""Which weights a target holds, and how far it reads."""

import torch
from support.tiny_model import make_target
from transformers import Gemma3TextConfig, LlamaConfig, MistralConfig

from ptp_core.model.target_facts import context_notes, context_of, weights_id


def test_weights_are_told_apart_whatever_they_are_called():
    assert weights_id(make_target()) == weights_id(make_target())
    assert weights_id(make_target()) != weights_id(make_target(seed=1))
    trained = make_target()
    with torch.no_grad():
        trained.model.layers[1].mlp.down_proj.weight += 1e-4
    assert weights_id(trained) != weights_id(make_target())
    assert weights_id(make_target().bfloat16()) != weights_id(make_target())


def test_the_context_ends_where_the_model_does():
    assert context_of(LlamaConfig(max_position_embeddings=64)) == 64
    assert context_notes(LlamaConfig(max_position_embeddings=64)) == []
    windowed = MistralConfig(max_position_embeddings=64, sliding_window=16)
    assert context_of(windowed) == 16
    assert context_notes(windowed) == [
        "Layers of this model see 16 tokens back, so the lab reads 16 tokens at most, the answer included."
    ]
    wide = MistralConfig(max_position_embeddings=64, sliding_window=4096)
    assert (context_of(wide), context_notes(wide)) == (64, [])
    mixed = Gemma3TextConfig(
        sliding_window=32, layer_types=["sliding_attention", "full_attention"], num_hidden_layers=2
    )
    assert context_of(mixed) == 32
