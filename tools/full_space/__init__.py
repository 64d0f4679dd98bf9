"""A full Space: many visitors with pages at once, on a lab of its own that only this machine reaches.

    plan       who comes: page, model, prompt with a mark, seed, address
    server     the lab as a process, its log and its memory
    deadline   the time that all of it may take, and the end of every process behind it
    tab        one visitor's page in Chromium; recorder.js listens in it
    calls      callers of the API, and one who floods
    rush       all at once, and then each text once more, alone
    freeing    Stop and closed tabs free their places
    flood      one client floods, another is served
    promises   what must hold of all this, and the table

What it found stands in docs/reliability.md.
"""
