import dataclasses

import pytest
import torch

from ptp_core.model.config import AdapterConfig, LoraConfig
from ptp_core.training.pretraining.export import save_slots, save_target
from ptp_core.training.pretraining.network import Shape, SmallLlama
from ptp_core.training.pretraining.slots import Slots
from ptp_core.training.pretraining.vocabulary import as_tokens, save_tokenizer, train_tokenizer

TEXTS = [f"def add_{i}(a, b):\n    return a + b + {i}\n\n\nclass Box{i}:\n    size = {i}\n" for i in range(120)]
SHAPE = Shape(vocabulary=300, hidden=64, layers=2, mlp=96)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """A tokenizer and token rows of some lines of code."""
    import numpy as np

    folder = tmp_path_factory.mktemp("texts")
    tokenizer = train_tokenizer(TEXTS, SHAPE.vocabulary)
    save_tokenizer(tokenizer, folder, SHAPE.longest)
    np.save(folder / "train.npy", as_tokens(tokenizer, TEXTS[10:]))
    np.save(folder / "held_out.npy", as_tokens(tokenizer, TEXTS[:10]))
    return folder


@pytest.fixture(scope="session")
def network(data_folder):
    """A network with random weights that prefers some tokens clearly, in float32."""
    import json

    size = len(json.loads((data_folder / "tokenizer.json").read_text())["model"]["vocab"])
    torch.manual_seed(3)
    net = SmallLlama(dataclasses.replace(SHAPE, vocabulary=size)).requires_grad_(False)
    net.embed.mul_(12)
    net.dtype = torch.float32
    return net


@pytest.fixture(scope="session")
def saved(network, data_folder, tmp_path_factory):
    """(folder of the target, folder of the slots that are told u)."""
    folder = tmp_path_factory.mktemp("small")
    save_target(network, data_folder, folder / "target")
    config = AdapterConfig(window=5, order="token_id", lora=LoraConfig(4, 4.0))
    save_slots(network, Slots(network, "o-ptp-id", 4), config, folder / "slots")
    return folder / "target", folder / "slots"
