"""The picture of a study, and that the one in docs/ shows what the shipped study holds."""

import re
from pathlib import Path
from xml.etree import ElementTree

from ptp_core.training.pretraining.study import Experiment, Point, Study
from tools.study_picture import AHEAD, CURVE, picture, ticks

ROOT = Path(__file__).resolve().parents[2]


def circles(text, kind):
    group = re.search(rf'<g class="{kind}">(.*?)</g>', text, re.DOTALL).group(1)
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', group)
    return [(float(x), float(y)) for x, y in found[:-1]]  # the last stands beside the name


def test_points_stand_where_they_were_measured():
    told = [Point(100, 1.5, (1.4, 1.6)), Point(200, 1.7, (1.6, 1.8))]
    four = {"told": [Point(0, 2.0, ahead=(0.0, 0.0)), Point(50, 2.1, ahead=(0.1, 0.02))], "blind": [Point(50, 2.0)]}
    ones = [Experiment(name, *["x"] * 5, kinds) for name, kinds in ((CURVE, {"told": told}), (AHEAD, four))]
    text = picture(Study("Does <u> pay?", ones))
    ElementTree.fromstring(text)
    (x0, y0), (x1, y1) = circles(text, "k0")
    assert x1 > x0 and y1 < y0  # more targets to the right, more tokens per call higher up
    assert text.count(">told<") == 2 and ">blind<" not in text  # nothing is ahead of itself


def test_ticks_are_round():
    assert ticks(0, 3_100_000) == [0, 1e6, 2e6, 3e6]
    assert ticks(-0.17, 0.11) == [-0.1, 0, 0.1]


def test_the_docs_show_the_shipped_study():
    study = Study.from_json(ROOT / "assets" / "benchmarks" / "studies" / "does-u-pay.json")
    assert (ROOT / "docs" / "does-u-pay.svg").read_text(encoding="utf-8") == picture(study)
