"""The methods of decoding: what each is called, how it drafts, what it needs and which options it knows.

Pure data. Every list of methods in the project is read from this table. The drafters that do the work are in
decoding/drafters, the peers outside in benchmark/transformers_peers.py.
"""

from __future__ import annotations

from dataclasses import dataclass

# ways to draft
NONE = "none"  # not at all
TURNS = "turns"  # by slots of a call of their own
BRANCHES = "branches"  # by slots of the verifying call, in branches
AHEAD = "ahead"  # by slots behind the settled token, after the call
LOOKUP = "lookup"  # by looking up the text so far
OUTSIDE = "outside"  # by code outside this project


@dataclass(frozen=True)
class Method:
    """One way to decode.

    name      as options, traces and files call it
    label     what readers see; short is for narrow places
    sentence  how it works, in one sentence
    drafts    one of the ways above
    needs     what must be loaded: "adapter", a part of one ("shallow" or "parallel"), "assistant", or nothing ("")
    options   the settings that it knows, besides max_new_tokens and details
    sees_u    whether its slots are told the noise
    raced     whether it can be the parallel lane of a race
    """

    name: str
    label: str
    short: str
    sentence: str
    drafts: str
    needs: str = ""
    options: tuple[str, ...] = ()
    sees_u: bool = True
    raced: bool = False

    @property
    def exact(self) -> bool:
        """Whether it promises the autoregressive text: all but the peers outside do."""
        return self.drafts != OUTSIDE

    @property
    def needs_adapter(self) -> bool:
        return self.needs not in ("", "assistant")

    @property
    def by_slots(self) -> bool:
        """Whether its calls carry slots."""
        return self.drafts in (TURNS, BRANCHES)

    @property
    def swept(self) -> tuple[str, ...]:
        """The benchmark's fields that matter to it: at each of their values it gives another result."""
        return (*self.options, "temperature", *(("coupling",) if self.exact else ()))


_BUDGET = ("num_speculative_tokens", "draft_budget")
_ROWS = (
    Method("ar", "autoregressive", "AR", "One token per model call: the baseline.", NONE),
    Method(
        "ptp", "PTP", "PTP", "A call drafts with slots that read the noise, the next call checks the drafts.",
        TURNS, "adapter", (*_BUDGET, "chained"), raced=True,
    ),
    Method(
        "pqd", "PTP with branches (PQD)", "PQD",
        "Each call checks the last drafts and prepares the next ones, one branch of slots for each outcome.",
        BRANCHES, "adapter", (*_BUDGET, "chained"), raced=True,
    ),
    Method(
        "shallow", "shallow PTP", "shallow PTP",
        "After each call, slots in the last layers draft one token at a time, for as long as it saves time.",
        AHEAD, "shallow", _BUDGET, raced=True,
    ),
    Method(
        "shallow_lookup", "shallow PTP and lookup", "shallow PTP + lookup",
        "Shallow slots draft, or the text so far is looked up where it repeats itself: whichever saves more time.",
        AHEAD, "shallow", _BUDGET, raced=True,
    ),
    # not raced: no shipped adapter has this part yet
    Method(
        "parallel_shallow", "parallel shallow PTP", "parallel PTP",
        "After each call, slots in the last layers draft a few tokens in one pass. Each is told the one before it.",
        AHEAD, "parallel", _BUDGET,
    ),
    Method(
        "parallel_shallow_lookup", "parallel shallow PTP and lookup", "parallel PTP + lookup",
        "Parallel shallow slots draft, or the text so far is looked up where it repeats itself.",
        AHEAD, "parallel", _BUDGET,
    ),
    Method(
        "independent", "u-blind drafts", "u-blind",
        "As PTP with branches, but the slots are not told the noise: they draft their likeliest token, or Pick.",
        BRANCHES, "adapter", (*_BUDGET, "chained", "draft_rule"), sees_u=False, raced=True,
    ),
    Method(
        "prompt_lookup", "prompt lookup", "prompt lookup",
        "No model drafts: a call checks what followed the last words earlier in the text.",
        LOOKUP, "", ("num_speculative_tokens",), raced=True,
    ),
    Method("hf_generate", "transformers generate", "transformers", "transformers' own sampling loop.", OUTSIDE),
    Method(
        "hf_prompt_lookup", "transformers prompt lookup", "transformers lookup",
        "transformers' own prompt lookup.", OUTSIDE,
    ),
    Method(
        "hf_assisted", "transformers assisted", "transformers assisted",
        "transformers' own assisted generation, with a smaller model that drafts.", OUTSIDE, "assistant",
    ),
)  # fmt: skip
TABLE = {row.name: row for row in _ROWS}
METHODS = tuple(row.name for row in _ROWS if row.exact)
OUTSIDE_METHODS = tuple(row.name for row in _ROWS if not row.exact)
RACED = tuple(row.name for row in _ROWS if row.raced)
# The parts that single methods play. Everywhere else a method is called by its part.
BASELINE = "ar"  # every other method is compared with it
PAPER_METHOD = "pqd"  # the paper's own: the default of the library, the command line and /generate
BLIND_METHOD = "independent"  # the same with drafts that do not see u
AHEAD_METHOD = "shallow"  # drafts behind a call, by slots alone
# of each part of an adapter whose slots draft behind a call, the method that uses them alone
AHEAD_METHODS = {row.needs: row.name for row in reversed(_ROWS) if row.drafts == AHEAD}
LOOKUP_METHOD = "prompt_lookup"
PEER = "hf_generate"  # the baseline outside this project
DEFAULT_METHOD = AHEAD_METHOD  # of a race
# Sets of methods that the command line takes by name, for what is measured on many questions.
_COUNTED = (BASELINE, PAPER_METHOD, AHEAD_METHOD, BLIND_METHOD, LOOKUP_METHOD)
SETS = {
    "all": tuple(row.name for row in _ROWS if row.needs != "assistant"),
    "counted": _COUNTED,  # one method of each way to draft
    "slots": tuple(name for name in _COUNTED if TABLE[name].drafts != LOOKUP),
    "blind": (BASELINE, BLIND_METHOD),
    "timed": tuple(name for name in METHODS if TABLE[name].drafts != TURNS and TABLE[name].sees_u),
}
OPTIONS = ("draft_budget", "num_speculative_tokens", "chained", "draft_rule")
SWEPT_FIELDS = (*OPTIONS, "temperature", "coupling")


def method_called(name: str) -> Method:
    """The method of this name; ValueError, naming those that there are, for any that is not ours."""
    if name not in TABLE or not TABLE[name].exact:
        raise ValueError(f"Unknown method {name!r}; methods: {', '.join(METHODS)}.")
    return TABLE[name]
