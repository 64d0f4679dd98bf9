"""The shipped adapter on the real default target, in float32. Slow: behind a marker."""

import pytest

from ptp_core import NoiseTape, SamplingConfig, first_divergence, generate, load_model
from ptp_core.methods import METHODS

pytestmark = pytest.mark.slow

PROMPTS = [
    "Why is the sky blue?",
    "Write a haiku about the sea.",
    "Translate to French: Good morning, my friend.",
    "Write a Python function that reverses a string.",
    "List three fruits.",
    "Tell me a story about a fox and a lighthouse keeper.",
    "What is 17 plus 25?",
    "Summarize: The cat sat on the mat. It was a sunny day and the cat was happy.",
    "Explain recursion to a child.",
    "Give me a recipe for pancakes.",
    "What is the capital of Australia?",
    "Describe a thunderstorm in two sentences.",
    "Emoji test: 😀🎉 what do these mean?",
    "Was ist Photosynthese?",
    "Write a SQL query that counts users by country.",
    "Name the planets in order.",
    "Why do cats purr?",
    "Compose a short email asking for a day off.",
    "What does 'carpe diem' mean?",
    "Continue: Once upon a time, in a land of glass,",
]


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu")


def test_every_method_gives_the_autoregressive_text_on_twenty_prompts(model):
    compared, differences, accepted = 0, [], 0
    for seed, prompt in enumerate(PROMPTS):
        sampling = SamplingConfig(temperature=(0.7, 0.0, 1.0)[seed % 3])
        ids = model.encode(prompt, chat=True)
        options = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 64}
        reference = generate(model, ids, "ar", **options)
        for method in METHODS[1:]:
            budget = {} if method == "prompt_lookup" else {"draft_budget": 12}
            trace = generate(model, ids, method, **options, **budget)
            compared += len(reference.tokens)
            accepted += sum(s.num_accepted for s in trace.steps)
            place = first_divergence(reference.tokens, trace.tokens)
            if place is not None:
                differences.append((prompt, method, place, reference.emitted[place].margin))
    print(f"{compared} tokens compared, {accepted} drafts accepted, differences: {differences}")
    assert all(margin is not None and margin < 1e-5 for *_, margin in differences)
    assert accepted > 200


def test_pieces_of_the_real_tokenizer_join_to_the_text(model):
    ids = model.encode("Repeat: 😀🎉 naïve 東京", chat=True)
    trace = generate(model, ids, "pqd", noise=NoiseTape(5), max_new_tokens=48, draft_budget=8)
    assert trace.text == model.decode(trace.tokens)
