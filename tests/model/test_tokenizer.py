import random

import pytest
from support.other_models import sentencepiece
from support.tiny_model import make_target, make_tokenizer

from ptp_core.benchmark.rows import token_classes
from ptp_core.model.ptp_model import PTPModel
from ptp_core.model.tokenizer import PieceStream


def test_labels_never_hide_a_token(make_model):
    model = make_model()
    assert model.label(2) == "a"
    assert model.label(0) == "⟨eos⟩"
    assert model.label(40) == "⟨unused 40⟩"  # a vocabulary that is padded beyond the tokenizer's


def test_chat_template_is_used_where_there_is_one(make_model):
    model = make_model()
    assert model.decode(model.encode("abc", chat=True)) == "abc."
    assert model.decode(model.encode("abc")) == "abc"
    bare = PTPModel(make_target(), make_tokenizer(chat_template=None))
    assert bare.decode(bare.encode("abc", chat=True)) == "abc"


@pytest.mark.parametrize(
    "template",
    ["{{ raise_exception('roles must alternate') }}", "{{ messages[9].content }}", "{% for %}", "{{ 1 / 0 }}"],
)
def test_a_chat_template_that_fails_says_so(template):
    model = PTPModel(make_target(), make_tokenizer(chat_template=template), name="org/odd")
    with pytest.raises(ValueError, match=r"^The chat template of org/odd fails: ") as error:
        model.encode("abc", chat=True)
    assert "\n" not in str(error.value)
    assert model.encode("abc") == [2, 3, 4]


def test_halves_of_characters_become_replacement_characters(make_model):
    model = make_model()
    assert model.encode("a\ud83d") == [2, 1] == model.tokenize("a\ud83d")
    assert model.encode("\ud83d\ude00") == [1]  # two halves that make a whole are one character


@pytest.fixture(scope="module")
def llama2():
    return PTPModel(make_target(vocab=265), sentencepiece(), name="llama-2-like")


def test_labels_keep_their_leading_space(llama2):
    known = llama2.tokenizer.convert_tokens_to_ids
    labels = [llama2.label(known(token)) for token in ("▁the", "▁cat", "s", "▁sat", "▁", "<0x41>", "<0xE2>", "<s>")]
    assert labels == [" the", " cat", "s", " sat", " ", "A", "⟨0xE2⟩", "⟨s⟩"]
    assert token_classes(labels) == "sscswsoo"


def test_streamed_pieces_join_to_the_decoded_text(llama2):
    known = llama2.tokenizer.convert_tokens_to_ids
    draw = random.Random(0)
    plain = ["▁the", "▁cat", "s", "▁", "<s>", "<unk>", "a", "<0x41>", "<0x0A>"]
    groups = [*([token] for token in plain), ["<0xE2>", "<0x82>", "<0xAC>"]]  # the last is one character
    for _ in range(300):
        ids = [known(token) for group in draw.choices(groups, k=draw.randrange(1, 9)) for token in group]
        stream = PieceStream(llama2.decode)
        pieces = [stream.push(token, last=i == len(ids) - 1) for i, token in enumerate(ids)]
        assert "".join(pieces) == llama2.decode(ids), llama2.tokenizer.convert_ids_to_tokens(ids)
