"""Rows to sum up."""

from ptp_core.benchmark.rows import Call, Row


def row(question, method, tokens, seconds, calls=None, accepted=(), same=True, category="x", point=""):
    made = [Call(0, 1, 100.0, 1), *(Call(1, 1, 1.0, 1 + a, a, [0.5] * d, "0" * d) for d, a in accepted)]
    return Row(question, category, method, tokens, calls or tokens, seconds, same, point=point, calls=made)
