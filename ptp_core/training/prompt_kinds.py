"""What conversations for training are about: kinds of task and how each one begins.

The target writes its own training prompts: it is given the beginning of a user's turn and goes on.
The openings below only set the kind of task; they are our own and hold no benchmark question.
"""

from __future__ import annotations

from dataclasses import dataclass

TOPICS = (
    "the river delta",
    "a small bakery",
    "volcanoes",
    "the steam engine",
    "honeybees",
    "the city of Lisbon",
    "a mountain railway",
    "the human heart",
    "medieval castles",
    "solar panels",
    "a lost letter",
    "the stock market",
    "coral reefs",
    "the violin",
    "winter storms",
    "a school election",
    "ancient Egypt",
    "electric cars",
    "the moon",
    "a football club",
    "the printing press",
    "vaccines",
    "desert nomads",
    "a new bridge",
    "the Roman army",
    "coffee farming",
    "a court trial",
    "black holes",
    "the wool trade",
    "a hospital strike",
    "migrating birds",
    "computer chips",
    "a film festival",
    "the Arctic",
    "sourdough bread",
    "a plane crash",
    "the French Revolution",
    "wild horses",
    "a chess master",
    "rice fields",
    "the telephone",
    "a flood in the valley",
    "whales",
    "jazz music",
    "the olive harvest",
    "a bank robbery",
    "earthquakes",
    "the kidney",
    "a village school",
    "glass blowing",
)
PASSAGE_OPENINGS = (
    "{Topic} is",
    "The history of {topic} began",
    "(CNN) -- Officials said on Monday that {topic}",
    "By Daniel Reed. {Topic}",
    "Researchers who study {topic} have found",
    "In 1923, {topic}",
    "Police have confirmed that {topic}",
    "{Topic}, which many visitors know well,",
    "A report published this week says that {topic}",
    "The term {topic} refers to",
)
QUESTION_OPENINGS = (
    "What is",
    "What was",
    "Who",
    "Who played",
    "Who wrote",
    "When did",
    "When was",
    "Where is",
    "Where does",
    "How many",
    "Why do",
    "Why did",
    "How does",
    "Which",
    "What does",
    "How long",
    "What are",
    "Describe",
    "Who sang",
    "Is there",
)


@dataclass(frozen=True)
class Kind:
    """A kind of task: its share of the conversations, the beginnings of a user's turn, and the longest turn and answer.

    "{passage}" in a beginning stands for a text that the model writes first, alone or before other such texts. Lengths
    are in tokens.
    """

    share: float
    openings: tuple[str, ...]
    passage_tokens: tuple[int, int] = (0, 0)
    passages: tuple[int, int] = (1, 1)
    max_question: int = 96
    max_answer: int = 192
    turns: int = 1


KINDS: dict[str, Kind] = {
    "chat": Kind(0.20, ("", "", "", "Can you", "I", "How can I", "Please", "My", "Give me", "Tell me")),
    "multi_turn": Kind(0.07, ("", "Can you", "I want to", "How do I", "Explain", "Help me"), turns=2),
    "translation": Kind(
        0.14,
        (
            "Translate German to English: Der",
            "Translate German to English: Die",
            "Translate German to English: Ein",
            "Translate German to English: Das",
            "Translate German to English: In",
            "Translate German to English: Wir",
            "Translate German to English: Nach",
            "Translate German to English: Es",
            "Translate German to English: Am",
            "Translate German to English: Mit der",
            "Translate German to English: Im Jahr",
            "Translate French to English: Le",
            "Translate Spanish to English: El",
            "Translate to French:",
            "Translate this sentence into German:",
            "Translate to Spanish: The",
            "What is the English translation of",
        ),
        max_question=64,
    ),
    "summary": Kind(
        0.12,
        ("Summarize: {passage}", "Summarize the following text: {passage}", "TL;DR of this article?\n{passage}"),
        passage_tokens=(60, 360),
        passages=(1, 3),
        max_answer=128,
    ),
    "passages": Kind(0.12, ("{passage}\n{question}",), passage_tokens=(60, 360), passages=(1, 5), max_answer=128),
    "question": Kind(0.12, tuple(QUESTION_OPENINGS), max_question=48),
    "arithmetic": Kind(
        0.10,
        (
            "{Name} has",
            "{Name} buys",
            "{Name} is",
            "There are",
            "A farmer",
            "If a train",
            "A store sells",
            "In a class of",
            "{Name} and {name2} share",
            "A bag contains",
            "It takes {name}",
            "A rectangle has",
            "Each week, {name}",
            "{Name} earns",
            "What is the probability",
            "Solve for x:",
            "Calculate",
        ),
    ),
    "code": Kind(
        0.06,
        (
            "Write a Python function that",
            "Write a function in JavaScript",
            "Implement",
            "How do I write code",
            "Write a SQL query",
            "What does this code do?\n```python\ndef",
            "Fix this bug:\n```",
            "Write a program that",
            "Given an array",
            "Create an HTML page",
        ),
    ),
    "writing": Kind(
        0.07,
        (
            "Write a story about {topic}",
            "Write a short poem",
            "Compose an email",
            "Write a blog post about",
            "Pretend to be",
            "Imagine you are",
            "Write a letter to",
            "You are a",
            "Describe a scene",
            "Draft",
            "Write a speech",
        ),
    ),
    "list_and_extract": Kind(
        0.04,
        (
            "List",
            "Name five",
            "Give me a list of",
            "Extract the names from this text:",
            "Sort the following:",
            "Classify",
        ),
    ),
}
NAMES = (
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Emma",
    "Felix",
    "Grace",
    "Henry",
    "Ines",
    "Jack",
    "Kim",
    "Liam",
    "Maya",
    "Noah",
)
