"""A tokenizer as the lab needs it: prompts to ids, ids to labels, and streamed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


class TextSide:
    """What PTPModel does with its tokenizer alone."""

    tokenizer: Any
    target: Any
    _labels: dict[int, str]

    def encode(self, prompt: str, chat: bool = False) -> list[int]:
        """Token ids of a prompt; chat=True puts it into the model's chat template where it has one."""
        if chat:
            return self.encode_messages([{"role": "user", "content": prompt}])
        return list(self.tokenizer(prompt)["input_ids"])

    def encode_messages(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Token ids of a conversation ({role, content} each) up to where the model's answer begins."""
        if self.has_chat_template:
            return self.tokenize(self.render_messages(messages))
        return self.encode(self.render_messages(messages))

    def render_messages(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The conversation in the chat template, or joined by newlines where the model has none."""
        if self.has_chat_template:
            return self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        return "\n".join(message["content"] for message in messages)

    def tokenize(self, text: str) -> list[int]:
        """Token ids of text that holds its special tokens already."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of generated tokens, special tokens left out."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def label(self, token: int) -> str:
        """One token as a list of candidates shows it: its text.

        A special token, or part of a character, is shown as its vocabulary entry in angle brackets.
        """
        if token not in self._labels:
            text = self.tokenizer.decode([token], clean_up_tokenization_spaces=False)
            special = token in self.tokenizer.all_special_ids
            if not text or special or "\ufffd" in text:
                entry = str(self.tokenizer.convert_ids_to_tokens(token))
                text = f"⟨{entry.strip('<>|')}⟩"
            self._labels[token] = text
        return self._labels[token]

    @property
    def has_chat_template(self) -> bool:
        return bool(getattr(self.tokenizer, "chat_template", None))

    @property
    def eos_tokens(self) -> frozenset[int]:
        generation = getattr(self.target, "generation_config", None)
        found: set[int] = set()
        for value in (getattr(generation, "eos_token_id", None), getattr(self.tokenizer, "eos_token_id", None)):
            found.update([value] if isinstance(value, int) else value or [])
        return frozenset(found)


_BROKEN = "\ufffd"


class PieceStream:
    """Turns tokens into pieces of text as they come.

    A token that ends inside a character has the piece "": the character belongs to the token that
    completes it. Only a window of recent tokens is decoded, so a long text costs no more per token.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._anchor = 0  # decoding starts here, so that spacing rules see some context
        self._done = 0  # tokens whose text is out

    def push(self, token: int, last: bool = False) -> str:
        """The piece of the next token; last=True gives out an unfinished character as it decodes."""
        self._tokens.append(token)
        before = self._decode(self._tokens[self._anchor : self._done])
        after = self._decode(self._tokens[self._anchor :])
        if after.endswith(_BROKEN) and not last:
            return ""
        self._anchor, self._done = self._done, len(self._tokens)
        return after[len(before) :]
