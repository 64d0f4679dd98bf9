"""Right-to-left text reads from the right: on both pages that show tokens, and in the picture of a race."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from app.race.races import recorded_race

pytestmark = pytest.mark.browser

WORDS = {
    "arabic": (["السماء", " زرقاء", " لأن", " ضوء", " الشمس", " يتشتت", " في", " الهواء"], "rtl"),
    "hebrew": (["השמיים", " כחולים", " כי", " אור", " השמש", " מתפזר", " באוויר", "."], "rtl"),
    "english": (["The", " sky", " is", " blue", " since", " light", " scatters", "."], "ltr"),
}
EDGES = """nodes => nodes.slice(0, 3).map(n => n.getBoundingClientRect()).map(b => [b.left, b.right, b.top])"""


@pytest.fixture(params=WORDS)
def written(request, tmp_path):
    """A file of a race whose text is made of these words, and the direction that it reads in."""
    words, direction = WORDS[request.param]
    race = json.loads(json.dumps(recorded_race("sky").to_dict()))
    for lane in ("ar", "ptp"):
        emitted = [token for step in race[lane]["steps"] for token in step["emitted"]]
        for i, token in enumerate(emitted):
            token["text"] = words[i % len(words)]
    path = tmp_path / "race.json"
    path.write_text(json.dumps(race))
    return path, direction


def reads(edges: list[list[float]], direction: str) -> bool:
    """Whether the tokens of one line follow one another in this direction, side by side."""
    assert len({top for _, _, top in edges}) == 1
    pairs = list(itertools.pairwise(edges))
    if direction == "rtl":
        return all(second[1] <= first[0] + 1 for first, second in pairs)
    return all(second[0] >= first[1] - 1 for first, second in pairs)


def test_both_lanes_and_the_picture_of_a_race_read_that_way(open_page, written, tmp_path):
    path, direction = written
    page = open_page()
    page.set_input_files(".ptp-tools input[type=file]", path)
    page.wait_for_function("!PTPLab.raceState.run.startsWith('recorded')")
    for lane in ("ar", "ptp"):
        page.wait_for_selector(f'.is-{lane} .ptp-text[dir="{direction}"] .ptp-token:nth-child(3)')
        assert reads(page.eval_on_selector_all(f".is-{lane} .ptp-token", EDGES), direction)
    with page.expect_download() as download:
        page.click('[data-do="vector"]')
    download.value.save_as(tmp_path / "race.svg")
    drawn = re.findall(r'<text x="([\d.]+)"[^>]*font-size="16"[^>]*xml:space', (tmp_path / "race.svg").read_text())
    places = [float(x) for x in drawn[:3]]
    assert len(places) == 3
    assert places == sorted(places, reverse=direction == "rtl")


def test_the_text_and_its_noise_read_that_way_and_arrows_go_where_they_point(open_page, written):
    path, direction = written
    page = open_page("noise")
    page.set_input_files(".ptp-tools input[type=file]", path)
    page.wait_for_function("PTPLab.noiseState.now.meta.origin === 'uploaded' && PTPLab.noiseState.index === 0")
    page.wait_for_selector(f'.nz-text[dir="{direction}"] .nz-token')
    page.wait_for_selector(f'.nz-parallel[dir="{direction}"] .ptp-token')
    assert reads(page.eval_on_selector_all(".nz-text .nz-token", EDGES), direction)
    assert reads(page.eval_on_selector_all(".nz-parallel .ptp-token", EDGES), direction)
    page.click('.nz-token[data-position="1"]')
    page.focus(".nz-token.is-selected")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("to => PTPLab.noiseState.position === to", arg=0 if direction == "rtl" else 2)
