"""Questions and settings of small benchmarks."""

from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import Question

QUESTIONS = [
    Question(str(i), "ab" if i % 2 else "cd", text) for i, text in enumerate(["abc", "hg fe", "aabb", "d.e.f"])
]


SHORT = BenchConfig(("ar", "pqd"), max_new_tokens=6, draft_budget=4)
