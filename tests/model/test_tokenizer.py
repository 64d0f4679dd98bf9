from support.tiny_model import make_target, make_tokenizer

from ptp_core.model.ptp_model import PTPModel


def test_labels_never_hide_a_token(make_model):
    model = make_model()
    assert model.label(2) == "a"
    assert model.label(0) == "⟨eos⟩"


def test_chat_template_is_used_where_there_is_one(make_model):
    model = make_model()
    assert model.decode(model.encode("abc", chat=True)) == "abc."
    assert model.decode(model.encode("abc")) == "abc"
    bare = PTPModel(make_target(), make_tokenizer(chat_template=None))
    assert bare.decode(bare.encode("abc", chat=True)) == "abc"
