"""Decoding with shallow slots: a call verifies, then the slots draft, one after another, as long as it pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch

from ...coupling import coupling_of
from ...coupling.noise_at import noise_from
from ...model.ptp_model import PTPModel
from ...sampling import SamplingConfig
from ...trace import DecodeStep, Draft
from ..costs import DEFAULT_RUN, DraftCosts, Learned
from ..measure_costs import draft_costs
from ..session import Session
from ..settings import DecodeSettings
from ..slots import UNTOLD, read_slots
from .base import Drafter, Times, drafts
from .branches import calibrated
from .lookup import longest_match

# share of right looked-up tokens by how many tokens matched, before any were seen
LOOKED_RATES = {1: 0.12, 2: 0.3, 3: 0.5, 4: 0.65}
Source = int | None  # of a draft: how many tokens matched where it was looked up; None where a slot made it


class DraftDepth:
    """Decides draft by draft whether another one pays, and learns from results and times.

    A fixed budget makes that many drafts. With measured costs, another draft must save more time on average than it
    takes. It takes the time to make it, and its row in the next call. The first takes the opening besides, which the
    drafts behind it must help to pay.
    """

    def __init__(self, run: Sequence[float], longest: int, budget: int, costs: DraftCosts | None) -> None:
        self.longest = min(longest, budget) if costs is None else longest
        self._costs = costs
        run = [min(max(p, 1e-6), 1.0) for p in run] or [1e-6]
        rates = [run[0], *(min(b / a, 1.0) for a, b in pairwise(run))]
        self._rates = [Learned(rates[min(k, len(rates) - 1)]) for k in range(max(self.longest, 1))]
        self._looked = {size: Learned(rate) for size, rate in LOOKED_RATES.items()}
        if costs is not None:
            self._call, self._draft = Learned(costs.call), Learned(costs.draft)
            self._pace = Learned(costs.call / (1 + rates[0]))  # milliseconds a token

    def pays(self, confidences: Sequence[float]) -> bool:
        """Whether one more draft behind drafts with these confidences pays."""
        count = len(confidences)
        if count >= self.longest:
            return False
        if self._costs is None:
            return True
        price = self._draft.value + self._costs.row
        if count:
            return self._gain(confidences, self.rate(count)) > price
        saved, best, sure = 0.0, 0.0, 1.0
        for k in range(self.longest):
            sure *= self.rate(k)
            saved += self._gain([], sure) - price
            best = max(best, saved)
        return best > self._opening(self._costs)

    def lookup_pays(self, confidences: Sequence[float], size: int) -> bool:
        """The same for a draft that is looked up and costs its row alone, where `size` tokens matched."""
        if len(confidences) >= self.longest:
            return False
        return self._costs is None or self._gain(confidences, self.looked_rate(size)) > self._costs.row

    def lookup_leads(self, size: int) -> bool:
        """Whether the first draft is better looked up, where `size` tokens matched, than made by a slot."""
        if size < 1 or self.longest < 1:
            return False
        looked, slot = self.looked_rate(size), self.rate(0)
        if self._costs is None:
            return looked > slot
        two = looked * (1 + self.looked_rate(size + 1))
        return self._gain([], two) - self._costs.row > self._gain([], slot) - self._draft.value - self._opening(
            self._costs
        )

    def rate(self, k: int) -> float:
        """Share of right drafts k, from 0, behind right ones: as measured, then more and more as in this run."""
        return self._rates[k].value

    def looked_rate(self, size: int) -> float:
        return self._looked[min(size, max(self._looked))].value

    def _opening(self, costs: DraftCosts) -> float:
        """Milliseconds of the opening. They rise and fall with those of a draft."""
        return costs.opening * self._draft.value / max(costs.draft, 1e-9)

    def _gain(self, confidences: Sequence[float], rate: float) -> float:
        """Milliseconds that a draft behind these saves on average: what a token costs at the pace of this run."""
        return math.prod(confidences) * rate * min(self._pace.value, self._call.value)

    def observe(self, drafts: Sequence[Source], accepted: int, emitted: int, call_ms: float, draft_ms: float) -> None:
        """Records one call: where its drafts came from, how many were right, and its tokens.

        draft_ms is the time to make the drafts, call_ms the time to verify them.
        """
        for k, source in enumerate(drafts[: accepted + 1]):
            learned = self._rates[k] if source is None else self._looked[min(source, max(self._looked))]
            learned.see(float(k < accepted))
        made = sum(source is None for source in drafts)
        if self._costs is not None:
            self._call.see(call_ms - len(drafts) * self._costs.row)
            self._pace.see((call_ms + draft_ms) / emitted, emitted)
            if made:
                expected = self._costs.opening + made * self._costs.draft
                self._draft.see(self._costs.draft * draft_ms / max(expected, 1e-9), made)


@drafts("shallow")
class Shallow(Drafter):
    """Behind a call's last token shallow slots draft the next ones, each told the one before.

    draft_budget is the number of drafts per call, or "auto": as long as they pay on this machine. ValueError without
    shallow slots.

    part: which of the adapter's parts holds the slots.
    """

    part, looks_up = "shallow", False

    def __init__(self, model: PTPModel, settings: DecodeSettings, sampling: SamplingConfig) -> None:
        config, given = model.require_part(self.part).config, settings.num_speculative_tokens
        self._tells_u = config.reads_u and coupling_of(sampling).one_number
        figures = config.figures("told" if coupling_of(sampling).one_number else "race")
        self._sharpness = figures.sharpness
        self.max_drafts = config.window if given is None else given
        costs = draft_costs(model, self.part) if settings.is_auto else None
        run = figures.draft_run or DEFAULT_RUN
        self._weights = figures.confidence if settings.calibrated else None
        self._depth = DraftDepth(run, self.max_drafts, settings.slots(self.max_drafts), costs)
        self._sources: list[Source] = []  # of the drafts that were proposed last
        self._verified: tuple[list[Source], float] | None = None  # of those that the next call verifies, with seconds

    def observe(self, step: DecodeStep, times: Times) -> None:
        if self._verified is not None:  # else it read the prompt
            sources, seconds = self._verified
            call = 1e3 * (times.plan + times.call)
            self._depth.observe(sources, step.num_accepted, len(step.emitted), call, 1e3 * seconds)
        self._verified = self._sources, times.draft

    @torch.inference_mode()
    def propose(self, session: Session, kept: list[Draft]) -> list[Draft]:
        """Drafts behind the text, as many as are worth their time."""
        model, depth = session.model, self._depth
        slots = model.require_part(self.part)
        first = session.num_emitted
        noise = noise_from(session.noise, first, min(depth.longest, session.remaining - 1))
        made: list[Draft] = []
        self._sources = []
        size, ahead = longest_match(session.tokens, len(noise)) if self.looks_up else (0, [])
        leads = bool(ahead) and depth.lookup_leads(size)
        drafting, token, by_slots = None, session.tokens[-1], True
        while len(made) < len(noise) and not (made and made[-1].token in model.eos_tokens):
            k, sure = len(made), [d.prob for d in made]
            if (made or leads) and len(ahead) > k and depth.lookup_pays(sure, size + k):
                token, prob, margin, by_slots = ahead[k], depth.looked_rate(size + k), 1.0, False
            elif by_slots and depth.pays(sure):
                drafting = drafting or slots.drafting(
                    session.settling,
                    noise.u if self._tells_u else [UNTOLD] * len(noise),
                    session.sampling.temperature,
                    session.cache,
                )
                ((token, prob, margin),) = read_slots(
                    drafting.next(token), noise.part(k, k + 1), session.sampling, session.coupling.one_number,
                    self._sharpness, slots.vocabulary,
                )  # fmt: skip
                prob = calibrated(prob, margin, self._weights)
                ahead = ahead if ahead[k : k + 1] == [token] else []  # what disagrees is no guide any more
            else:
                break
            self._sources.append(None if by_slots else size + k)
            number = session.coupling.number(session.noise, first + k, token)
            made.append(Draft(token, model.label(token), number, prob, margin, "pending"))
        return made


@drafts("shallow_lookup")
class ShallowLookup(Shallow):
    """The same, and where the text repeats itself, drafts are looked up."""

    looks_up = True
