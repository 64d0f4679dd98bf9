"""The small model that comes with the lab, in the browser against the server: 20 prompts, one by one and by slots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.tab_model import END, read_model

from app import modules
from app.tab.files import HEAD, WEIGHTS, shipped
from app.tab.pack import LARGEST
from ptp_core.decoding.decode import generate
from ptp_core.noise import NoiseTape
from ptp_core.sampling import SamplingConfig

FILES = shipped()
pytestmark = [
    pytest.mark.browser, pytest.mark.slow,
    pytest.mark.skipif(FILES is None, reason="the small model is not in assets/models"),
]  # fmt: skip

HOST = "http://modules.test/"
SAMPLING = SamplingConfig(0.7, 50, 0.95, "token_id")
ROUNDING = 1e-5  # from the edge of a slice, rounding may decide
PROMPTS = [
    "import os\n\n\ndef read(path):\n    ", "class Stack:\n    def __init__(self):\n        self.items = []\n\n",
    "for i in range(10):\n    ",
    "try:\n    import json\nexcept ", "x = [1, 2, 3]\ny = {", "def f(a, b=None):\n    ",
    "import unittest\n\n\nclass Test", "if __name__ == ",
    "    while True:\n        ", "@property\ndef name(self):\n    ",
    "print('naïve 😀')\n", "# Copyright ", "key = lambda x: ", "from collections import ",
    "def main():\n    parser = ",
    "with open(path) as f:\n    ", "raise ValueError(", "def __repr__(self):\n    return ", "assert len(",
    "\"\"\"A module for ",
]  # fmt: skip
RUN = """async ([host, prompts, settings]) => {
  const at = (name) => import(`${host}tab/worker/${name}.js`);
  const [{ Network }, { Tape }, { Cache, Session }, { Vocabulary }] = await Promise.all(
    ["network", "noise", "session", "vocabulary"].map(at));
  const head = await (await fetch(`${host}head.json`)).json();
  const network = new Network(head, await (await fetch(`${host}weights.bin`)).arrayBuffer());
  const sampling = { temperature: 0.7, topK: 50, topP: 0.95, order: "token_id" };
  const words = new Vocabulary(head.vocabulary);
  return prompts.map((prompt, seed) => settings.map((setting) => {
    const ids = words.encode(prompt);
    const run = new Session(network, new Cache(), ids, [], new Tape(seed), sampling, words.eos, setting);
    const steps = [];
    while (!run.done) steps.push(run.call());
    return { ids, tokens: run.tokens.slice(ids.length), drafts: steps.map((s) => s.drafts.map((d) => d.token)) };
  }));
}"""


def test_the_shipped_model_writes_the_servers_texts(browser: Browser):
    assert FILES is not None
    head, weights = FILES.content(HEAD), FILES.content(WEIGHTS)
    assert head is not None and weights is not None and len(head) + len(weights) <= LARGEST
    words = json.loads(head)["vocabulary"]
    assert words["special"].get(END) in words["eos"]
    context = browser.new_context()

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(HOST)
        body = modules.sources().get(name) or FILES.content(name) or b"<!doctype html>"
        kind = "text/javascript" if name in modules.sources() else "text/html"
        route.fulfill(body=body, content_type=f"{kind}; charset=utf-8")

    context.route(f"{HOST}**", answer)
    page = context.new_page()
    page.goto(HOST)
    settings = [{"maxNew": 24}, *({"maxNew": 24, "budget": 8, "adapter": name} for name in FILES.adapters)]
    found = page.evaluate(RUN, [HOST, PROMPTS, settings])
    context.close()
    ways = [("ar", None), *(("pqd" if name == "ptp" else "independent", name) for name in FILES.adapters)]
    parted = []
    for way, (method, name) in enumerate(ways):
        model = read_model(FILES.target, FILES.adapters[name] if name else None, quick=False)  # all in float32
        for seed, prompt in enumerate(PROMPTS):
            ours = generate(
                model, model.encode(prompt), method, NoiseTape(seed), SAMPLING, max_new_tokens=24, draft_budget=8
            )
            theirs = found[seed][way]
            assert theirs["ids"] == model.encode(prompt)
            emitted = [token for step in ours.steps for token in step.emitted]
            differs = [t for t, token in zip(emitted, theirs["tokens"], strict=False) if t.token != token]
            if differs:  # only rounding may part them, and the place is told
                parted.append((method, prompt, differs[0].position, differs[0].margin))
            else:
                assert [token.token for token in emitted] == theirs["tokens"]
                if not any((t.margin or 1) < ROUNDING for t in emitted):
                    assert [[d.token for d in step.drafts] for step in ours.steps] == theirs["drafts"]
    assert [place for place in parted if place[3] is None or place[3] >= ROUNDING] == [], parted
