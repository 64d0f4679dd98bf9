"""Training of a small target from scratch: its texts, its tokenizer, its weights."""
