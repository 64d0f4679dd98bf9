"""The example prompts of the pages, and which one they open with."""

EXAMPLES = {  # name -> (button, prompt); the recorded race of each has the same name
    "sky": ("explanation", "Why is the sky blue?"),
    "code": ("code", "Write a Python function that checks whether a word is a palindrome."),
    "list": ("list", "List five tips for learning a new language."),
    "story": ("story", "Tell me a short story about a lighthouse keeper and a storm."),
    "translation": ("translation", "Translate to French: Where is the nearest train station?"),
}
FIRST = "code"  # of the Race page: most tokens per call
FIRST_TEXT = "sky"  # of the Noise page
