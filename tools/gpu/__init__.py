"""A day with a GPU: what travels to the machine, the one programme that runs there, and what comes back.

    parts     the default target and an adapter as a few files that fit into one call each, restored bit for bit
    travel    hides from git what must not travel, and brings it back
    day       the programme: check, measure, train
    clock     deadline, stages and signals
    outbox    what comes back: results and adapter in a few files, written anew every minute

How such a day goes stands in docs/gpu.md.
"""
