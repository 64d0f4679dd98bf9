"""The example prompts of the pages, and which one they open with."""

from __future__ import annotations

from typing import NamedTuple

from ptp_core.storage.built_in import DEFAULT


class Example(NamedTuple):
    """A button and its prompt, for one of the lab's models."""

    label: str
    prompt: str
    model: str = DEFAULT


_LOOP = """def read_lines(path):
    lines = []
    with open(path) as file:
        for line in file:"""
_CLASS = """class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):"""
_TEST = """import unittest


class TestParser(unittest.TestCase):
    def setUp(self):"""
EXAMPLES = {  # by name; the recorded race of each has the same name
    "sky": Example("explanation", "Why is the sky blue?"),
    "code": Example("code", "Write a Python function that checks whether a word is a palindrome."),
    "list": Example("list", "List five tips for learning a new language."),
    "story": Example("story", "Tell me a short story about a lighthouse keeper and a storm."),
    "translation": Example("translation", "Translate to French: Where is the nearest train station?"),
    "small-function": Example("function", _LOOP, "ptp-small"),
    "small-class": Example("class", _CLASS, "ptp-small"),
    "small-test": Example("test", _TEST, "ptp-small"),
}
FIRST = "code"  # of the Race page: most tokens per call
FIRST_TEXT = "sky"  # of the Noise page


def examples_of(model: str) -> dict[str, Example]:
    """The examples for this model, by name."""
    return {name: example for name, example in EXAMPLES.items() if example.model == model}
