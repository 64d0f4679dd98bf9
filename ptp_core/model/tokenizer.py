"""A tokenizer as the lab needs it: prompts to ids, ids to labels, and streamed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..refusals import refusing
from ..text_files import whole_characters

_BROKEN = "\ufffd"
_SEARCHED = 2000  # tokens among which a letter is looked for


class TextSide:
    """What PTPModel does with its tokenizer alone."""

    name: str
    tokenizer: Any
    target: Any
    num_tokens: int  # that the network knows
    _labels: dict[int, str]
    _letter: tuple[int, ...] | None = None  # a token that ends in a letter

    def encode(self, prompt: str, chat: bool = False) -> list[int]:
        """Token ids of a prompt; chat=True puts it into the model's chat template where it has one."""
        if chat:
            return self.encode_messages([{"role": "user", "content": prompt}])
        return list(self.tokenizer(whole_characters(prompt))["input_ids"])

    def encode_messages(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Token ids of a conversation ({role, content} each) up to where the model's answer begins."""
        if self.has_chat_template:
            return self.tokenize(self.render_messages(messages))
        return self.encode(self.render_messages(messages))

    def render_messages(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The conversation in the chat template, or joined by newlines where the model has none.

        ValueError with the cause where the template fails. A template may hold a clock: what must be the same text
        twice is rendered once.
        """
        if self.has_chat_template:
            with refusing(f"The chat template of {self.name} fails"):
                return self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        return "\n".join(message["content"] for message in messages)

    def tokenize(self, text: str) -> list[int]:
        """Token ids of text that holds its special tokens already."""
        return list(self.tokenizer(whole_characters(text), add_special_tokens=False)["input_ids"])

    def check_tokens(self, ids: Sequence[int]) -> None:
        """ValueError for a token that the network does not know: a tokenizer may be larger, a text another model's."""
        odd = next((i for i in ids if not 0 <= i < self.num_tokens), None)
        if odd is not None:
            raise ValueError(
                f"There is a token {odd} in this text, but the network of {self.name} knows {self.num_tokens} tokens."
            )

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of generated tokens, special tokens left out."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def label(self, token: int) -> str:
        """One token as a list of candidates shows it: its text, as it stands behind other text.

        A special token, or part of a character, is shown as its vocabulary entry in angle brackets. A token that the
        tokenizer does not know is shown by its number.
        """
        if token not in self._labels:
            text = self._text_behind(token)
            special = token in self.tokenizer.all_special_ids
            if not text or special or _BROKEN in text:
                entry = self.tokenizer.convert_ids_to_tokens(token)
                text = f"⟨unused {token}⟩" if entry is None else f"⟨{str(entry).strip('<>|') or entry}⟩"
            self._labels[token] = text
        return self._labels[token]

    def _text_behind(self, token: int) -> str:
        """The token's text behind a letter. Alone, many tokenizers cut off a leading space."""
        if self._letter is None:
            self._letter = self._find_letter()
        before, after = (self._decode_all(ids) for ids in (self._letter, (*self._letter, token)))
        return after[len(before) :] if before and after.startswith(before) else self._decode_all((token,))

    def _find_letter(self) -> tuple[int, ...]:
        """A token that is a letter or ends in one; none where the tokenizer has none."""
        for text in ("a", "e", "x", "the"):
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            if ids and self._is_letter(ids[-1]):
                return (int(ids[-1]),)
        return next(((i,) for i in range(min(len(self.tokenizer), _SEARCHED)) if self._is_letter(i)), ())

    def _is_letter(self, token: int) -> bool:
        text = self._decode_all((token,))
        return token not in self.tokenizer.all_special_ids and text[-1:].isalpha()

    def _decode_all(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones included."""
        return self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False)

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
        piece = after[len(before) :]
        if piece:  # behind a token without text, such as a special one, decoding would begin like a text
            self._anchor = self._done
        self._done = len(self._tokens)
        return piece
