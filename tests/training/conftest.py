"""What the training tests share: a tiny model that writes conversations, and folders of both."""

import pytest
from support.tiny_model import make_target, make_tokenizer

from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.writing import DataRecipe, generate_data


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A tiny model and a few of its conversations on disk."""
    folder = tmp_path_factory.mktemp("training")
    make_target(context=1024).save_pretrained(folder / "model")
    make_tokenizer().save_pretrained(folder / "model")
    writer = PTPModel(make_target(context=1024), make_tokenizer(), name="tiny")
    generate_data(writer, DataRecipe(conversations=80, shard_size=40, max_prompt=60), folder / "data")
    return folder


@pytest.fixture(scope="session")
def writer():
    """A tiny model with room for passages."""
    return PTPModel(make_target(context=2048), make_tokenizer(), name="tiny").eval()
