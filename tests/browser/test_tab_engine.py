"""The network in the browser against the server's: logits, tokens, drafts and random numbers, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser
from support.tab_model import SMALL, read_model, write_adapter, write_blind, write_target

from app import modules
from app.tab.pack import pack
from ptp_core.coupling.noise_at import noise_from
from ptp_core.decoding.decode import generate
from ptp_core.maps.unit_square import unit_square
from ptp_core.model.ptp_model import PTPModel
from ptp_core.noise import NoiseTape
from ptp_core.sampling import SamplingConfig, candidates
from ptp_core.trace import Trace

pytestmark = pytest.mark.browser

HOST = "http://modules.test/"
SAMPLING = SamplingConfig(0.7, 50, 0.95, "token_id")
CLOSE = 3e-5  # rounding of two float32 networks, as a share of the largest logit
ROUNDING = 1e-5  # from the edge of a slice, rounding may decide
PROMPTS = [
    "import os\n\ndef read(path):\n    ", "class Foo:\n    def __init__(self, x):\n", "for i in range(10):\n",
    "try:\n    import json\nexcept", "x = [1, 2, 3]\ny = {'a': 'über'}\n", "def f(a, b=None):", "return", "if x:",
    "    while True:\n        ", "@property\ndef name(self):\n", "print('naïve 😀')\n", "# a comment\n",
    "lambda x: x + ", "from math import ", "a = b = 0\n", "with open(p) as f:", "raise ValueError(", "yield",
    "assert x == 1, ", "self._value = ",
]  # fmt: skip

START = """async ([host, f]) => {
  const at = (name) => import(`${host}tab/worker/${name}.js`);
  const [kernels, network, noise, sampling, session, vocabulary, square] = await Promise.all(
    ["kernels", "network", "noise", "sampling", "session", "vocabulary", "square"].map(at));
  const nets = {};
  for (const name of ["plain", "chained", "untied"]) {
    const head = await (await fetch(`${host}${name}.json`)).json();
    nets[name] = new network.Network(head, await (await fetch(`${host}${name}.bin`)).arrayBuffer());
  }
  const words = new vocabulary.Vocabulary(nets.plain.head.vocabulary);
  const causal = (first, count, width = 1) => ({
    positions: Array.from({ length: count }, (_, i) => first + i), first,
    seen: Array.from({ length: count }, (_, i) => Array.from({ length: first + i + 1 }, (_, j) => j)),
  });
  const rows = (net, ids, first = 0) => {
    net.run(ids, [], causal(first, ids.length));
    const all = net.logits(net.at.h / 4, ids.length);
    return ids.map((_, i) => [...all.slice(i * net.logitsWidth, i * net.logitsWidth + net.model.vocab)]);
  };
  const S = { temperature: 0.7, topK: 50, topP: 0.95, order: "token_id" };
  const write = (name, prompt, seed, edits, settings) => {
    const ids = words.encode(prompt), tape = new noise.Tape(seed, edits);
    const run = new session.Session(nets[name], new session.Cache(), ids, [], tape, S, words.eos, settings);
    const steps = [];
    while (!run.done) steps.push(run.call());
    return steps;
  };
  window.tab = { kernels, square, noise, sampling, session, nets, words, rows, write, causal, S };
}"""


@dataclass
class Tab:
    """Two models on the server, and the same ones in the browser. ask(expression, x): its value, with `t` = tab."""

    ask: Callable[..., Any]
    models: dict[str, PTPModel]


@pytest.fixture(scope="module")
def tab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    folder = tmp_path_factory.mktemp("tab")
    target = write_target(folder / "target")
    plain = write_adapter(folder / "plain", target)
    blind = write_blind(folder / "blind", target)
    chained = write_adapter(folder / "chained", target, seed=3, chain=24, anchor=True)
    files: dict[str, bytes] = {}
    for name, ptp in (("plain", plain), ("chained", chained), ("untied", None)):
        home = target if ptp else write_target(folder / "untied", type(SMALL)(tied=False))
        head, binary = pack(home, {"ptp": ptp, "blind": blind} if ptp else {})
        files |= {f"{name}.json": json.dumps(head).encode(), f"{name}.bin": binary}
    models = {
        "plain": read_model(target, plain, quick=True), "chained": read_model(target, chained),
        "blind": read_model(target, blind, quick=True), "untied": read_model(folder / "untied"),
    }  # fmt: skip
    context = browser.new_context()

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(HOST)
        text = modules.sources().get(name)
        kind = "text/javascript" if text is not None else "text/html"
        body = text if text is not None else files.get(name, b"<!doctype html>")
        route.fulfill(body=body, content_type=f"{kind}; charset=utf-8")

    context.route(f"{HOST}**", answer)
    page = context.new_page()
    page.goto(HOST)
    page.evaluate(START, [HOST, None])
    yield Tab(lambda script, x=None: page.evaluate(f"(x) => {{ const t = tab; return {script}; }}", x), models)
    context.close()


@pytest.mark.parametrize("name", ["plain", "untied"])
def test_logits_are_the_servers(tab, name):
    ids = tab.models[name].encode("def main():\n    import os\n" * 6)
    expected = tab.models[name].target_logits(ids)
    found = torch.tensor(tab.ask("t.rows(t.nets[x[0]], x[1])", [name, ids]))
    assert expected.abs().max() > 3
    assert (found - expected).abs().max() < CLOSE * expected.abs().max()


def test_a_row_has_the_same_logits_in_every_call(tab):
    """One row, two, three, four, five, eleven: also those that were cached by another call."""
    ids = tab.models["plain"].encode("def main():\n    import os\n    return x\n")[:22]
    script = """(() => {
      const net = t.nets.plain, whole = t.rows(net, x), found = [];
      let from = 0;
      for (const count of [1, 2, 3, 4, 1, 11]) {
        found.push(...t.rows(net, x.slice(from, from + count), from));
        from += count;
      }
      return whole.every((row, i) => row.every((value, n) => Object.is(value, found[i][n])));
    })()"""
    assert len(ids) == 22 and tab.ask(script, ids) is True


def test_kernels_agree_with_and_without_fused_sums(tab):
    script = """(() => {
      const { head, memory, constructor: Network } = t.nets.plain, binary = memory.buffer.slice(0, head.bytes);
      const nets = [false, t.kernels.hasFused()].map((fused) => new Network(head, binary, fused));
      const [a, b] = nets.map((net) => t.rows(net, x).flat());
      return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    })()"""
    assert tab.ask(script, tab.models["plain"].encode("import os, sys\n")) < 1e-4


def test_slots_with_deltas_and_u_draft_as_the_server_does(tab):
    """Logits of three slots behind a text: low-rank deltas, the u embedding, the mask."""
    script = """(() => {
      const net = t.nets[x[0]], [ids, u] = [x[1], x[2]];
      const run = new t.session.Session(net, new t.session.Cache(), ids, [], null, t.S, t.words.eos,
        { adapter: x[3], budget: 0, maxNew: 9 });
      run.tape = { at: (i) => u[i] };
      const spec = [{ assumed: 0, length: u.length }], layout = run.layout(0, spec);
      net.run(ids, run.slotRows(spec, [ids[ids.length - 1]], 0), layout, x[3]);
      const all = net.logits(net.at.h / 4 + ids.length * net.model.hidden, u.length);
      return u.map((_, i) => [...all.slice(i * net.logitsWidth, i * net.logitsWidth + net.model.vocab)]);
    })()"""
    for name, adapter in (("plain", "ptp"), ("chained", "ptp"), ("blind", "blind")):
        model = tab.models[name]
        ids, u = model.encode("def main():\n    x = "), [0.03, 0.5, 0.999]
        carried = [0.5] * 3 if name == "blind" else u
        lead = model.require_adapter().lead
        expected = model.draft_logits(ids, [*carried, 0.5][: 3 + lead], SAMPLING)[lead:]
        found = torch.tensor(tab.ask(script, ["plain" if name == "blind" else name, ids, u, adapter]))
        assert (found - expected).abs().max() < CLOSE * expected.abs().max(), name


def same(trace: Trace, steps: list[dict[str, Any]]) -> str:
    """Where the browser's run differs from the server's; empty where it does not, or where only rounding parts them."""
    server = [token for step in trace.steps for token in step.emitted]
    browser = [token for step in steps for token in step["emitted"]]
    for ours, theirs in zip(server, browser, strict=False):
        assert ours.u == theirs["u"]
        if ours.token != theirs["token"]:
            near = ours.margin is not None and ours.margin < ROUNDING
            return "" if near else f"token {ours.position}: {ours.token} and {theirs['token']}, margin {ours.margin}"
        assert (theirs["left"], theirs["right"]) == pytest.approx((ours.left, ours.right), abs=1e-4)
    for i, (ours, theirs) in enumerate(zip(trace.steps, steps, strict=True)):
        if [d.token for d in ours.drafts] != [d["token"] for d in theirs["drafts"]]:
            return f"drafts of call {i}"
        if (ours.num_accepted, ours.num_positions) != (theirs["accepted"], theirs["rows"]):
            return f"rows of call {i}"
        assert [d["prob"] for d in theirs["drafts"]] == pytest.approx([d.prob for d in ours.drafts], abs=1e-3)
        assert [d["status"] for d in theirs["drafts"]] == [d.status for d in ours.drafts]
        assert [e["source"] for e in theirs["emitted"]] == [e.source for e in ours.emitted]
    return ""


@pytest.mark.parametrize(
    ("name", "method", "adapter", "count"),
    [
        ("plain", "ar", None, 20), ("plain", "pqd", "ptp", 20), ("chained", "pqd", "ptp", 20),
        ("blind", "independent", "blind", 20),
    ],
)  # fmt: skip
def test_the_browser_writes_the_servers_texts_by_the_same_calls(tab, name, method, adapter, count):
    model, differences, accepted = tab.models[name], [], 0
    where = "plain" if name == "blind" else name
    for seed, prompt in enumerate(PROMPTS[:count]):
        noise = NoiseTape(seed, {3: 0.25})
        trace = generate(model, model.encode(prompt), method, noise, SAMPLING, max_new_tokens=12, draft_budget=12)
        settings = {"maxNew": 12, "budget": 12, **({"adapter": adapter} if adapter else {})}
        steps = tab.ask("t.write(...x)", [where, prompt, seed, {3: 0.25}, settings])
        differences.append(same(trace, steps))
        accepted += trace.stats.num_tokens - trace.stats.num_calls
    assert differences == [""] * count
    assert method == "ar" or accepted > 0  # some drafts were right, so branches behind them were taken


def test_chained_drafts_can_be_left_aside(tab):
    model, prompt = tab.models["chained"], "def read(path):\n"
    trace = generate(
        model, model.encode(prompt), "pqd", NoiseTape(1), SAMPLING, max_new_tokens=16, draft_budget=9, chained=False
    )
    settings = {"maxNew": 16, "budget": 9, "adapter": "ptp", "chained": False}
    assert same(trace, tab.ask("t.write(...x)", ["chained", prompt, 1, {}, settings])) == ""


def test_a_text_that_begins_alike_is_not_run_again(tab):
    script = """(() => {
      const cache = new t.session.Cache(), ids = t.words.encode(x);
      const run = (written, tape) => {
        const s = new t.session.Session(t.nets.plain, cache, ids, written, tape, t.S, t.words.eos, { maxNew: 12 });
        const steps = [];
        while (!s.done) steps.push(s.call());
        return [s.tokens.slice(ids.length), steps[0].rows];
      };
      const tape = new t.noise.Tape(5), [first] = run([], tape);
      const [again, rows] = run(first.slice(0, 6), tape);
      const moved = new t.noise.Tape(5, { 6: 0.01 }), [other, few] = run(first.slice(0, 6), moved);
      const [fresh] = (cache.tokens = [], run([], moved));
      return { first, again, rows, other, few, fresh };
    })()"""
    found = tab.ask(script, "import os\n\nclass A:\n")
    assert found["again"] == found["first"] and found["other"] == found["fresh"]
    assert found["rows"] == found["few"] == 1
    assert len(found["first"]) == 12


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 1, 2**63 - 1])
def test_the_noise_is_the_tapes(tab, seed):
    tape = NoiseTape(seed, {2: 0.1, 300: 0.75})
    found = tab.ask(
        "(() => { const tape = new t.noise.Tape(x[0], x[1]); return x[2].map((i) => tape.at(i)); })()",
        [str(seed), {2: 0.1, 300: 0.75}, [300, 0, 1, 2, 3, 4, 5, 299]],
    )
    assert found == [tape[i] for i in (300, 0, 1, 2, 3, 4, 5, 299)]


@pytest.mark.parametrize("order", ["token_id", "probability"])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(0.7, 50, 0.95), (1.0, 0, 0.9), (0.3, 3, 1.0), (0, 50, 0.9)]
)
def test_slices_are_the_servers(tab, order, temperature, top_k, top_p):
    sampling = SamplingConfig(temperature, top_k, top_p, order)
    logits = torch.randn(40, 90, generator=torch.Generator().manual_seed(5)) * 3
    logits[:, 10] = logits[:, 20]  # ties
    tape = NoiseTape(4)
    found = tab.ask(
        "x[0].map((row, i) => { const c = t.sampling.candidates(Float32Array.from(row), x[1]);"
        " return [c, t.sampling.columnOf(c, x[2][i])]; })",
        [
            logits.tolist(),
            {"temperature": temperature, "topK": top_k, "topP": top_p, "order": order},
            tape.values(0, 40),
        ],
    )
    for i, (theirs, column) in enumerate(found):
        ours = candidates(logits[i : i + 1], sampling)
        kept = ours.probs[0] > 0
        assert theirs["tokens"] == ours.tokens[0][kept].tolist()
        assert theirs["right"] == pytest.approx(ours.right[0][kept].tolist(), abs=2e-7)
        picked = ours.tokens[0, int(ours.find(torch.tensor([tape[i]])))]
        assert theirs["tokens"][column] == int(picked)
    assert noise_from(tape, 0, 1).u == [tape[0]]


TEXTS = [
    "", "a", "  two  spaces", "\n\n\tdef f(x):\r\n", "it's, I'll we've 'tis", "über 東京 😀👩‍👩‍👧", "x=12345.678e-9",
    "<|endoftext|>after<|endoftext|>", "__init__(self, *args, **kwargs):  # done\n    ", "\u00a0\u2003wide", "ﬁ ½ ²",
    "a" * 60, "   ", "\x00\x7f", "if(a&&b||!c){}",
]  # fmt: skip


def test_texts_are_cut_as_by_the_tokenizer(tab):
    model = tab.models["plain"]
    for text in [*TEXTS, *PROMPTS]:
        assert tab.ask("t.words.encode(x)", text) == model.encode(text), text


def test_tokens_join_to_the_text_they_came_from(tab):
    for text in ["über naïve 東京 😀", "def f():\n"]:
        assert tab.ask("t.words.texts(t.words.encode(x)).join('')", text) == text
    ids = tab.models["plain"].encode("😀")
    assert len(ids) > 1
    assert tab.ask("t.words.texts(x)", ids) == [""] * (len(ids) - 1) + ["😀"]
    assert tab.ask("t.words.texts(x)", ids[:-1])[-1] == "\ufffd"


def test_the_square_is_the_servers(tab):
    """The target's square exactly; the drafts at a few places of the grid, as a call of the server makes them."""
    for name, adapter in (("plain", "ptp"), ("chained", "ptp"), ("plain", "blind"), ("chained", "blind")):
        model = tab.models["blind" if adapter == "blind" else name]
        ids = model.encode("def read(path):\n    return ")
        found = tab.ask("t.square.unitSquare(t.nets[x[0]], new t.session.Cache(), x[1], t.S)", [name, ids])
        grid = found["grid"]
        if adapter == "ptp":
            trace = generate(model, ids, "ar", NoiseTape(0), SAMPLING, max_new_tokens=2)
            square = unit_square(model, trace, 0)
            assert [c["token"] for c in found["target"]] == [c.token for c in square.target]
            for theirs, ours in zip(found["target"], square.target, strict=True):
                assert (theirs["left"], theirs["right"]) == pytest.approx((ours.left, ours.right), abs=1e-4)
                assert {c["token"] for c in theirs["cells"]} >= {c.token for c in ours.cells}
        for i, j in ((0, 0), (5, 20), (12, 3), (23, 23)):
            noise = NoiseTape(0, {0: (i + 0.5) / grid, 1: (j + 0.5) / grid})
            method = "independent" if adapter == "blind" else "pqd"
            trace = generate(model, ids, method, noise, SAMPLING, max_new_tokens=4, draft_budget=5)
            [kept] = [branch for branch in trace.steps[0].branches if branch.kept]
            draft = next(d for d in kept.drafts if d.status == "pending")
            assert found["drafts"][adapter]["tokens"][i][j] == draft.token, (name, adapter, i, j)
        assert 0 <= found["drafts"][adapter]["share"] <= 1


def test_the_worker_answers_and_drops_what_was_overtaken(tab):
    script = """(async () => {
      const worker = new Worker(x.host + "tab/worker/index.js", { type: "module" }), got = [];
      const until = (id, kinds) => new Promise((resolve) => worker.addEventListener("message", ({ data }) => {
        got.push(data);
        if (data.id === id && kinds.includes(data.ask)) resolve(data);
      }));
      const head = await (await fetch(x.host + "plain.json")).json();
      const weights = await (await fetch(x.host + "plain.bin")).arrayBuffer();
      worker.postMessage({ id: 1, ask: "load", head, weights });
      await until(1, ["loaded", "failed"]);
      const asked = { ask: "write", prompt: "def f(x):\\n", seed: 3, edits: {}, maxNew: 10, budget: 8, chained: true,
        adapter: "ptp", temperature: 0.7 };
      for (const id of [2, 3, 4]) worker.postMessage({ ...asked, id });
      await until(4, ["written", "failed"]);
      const lanes = got.filter((one) => one.ask === "lane" && one.id === 4);
      worker.postMessage({ ...asked, ask: "square", id: 5, written: lanes[0].tokens.slice(0, 3) });
      const square = await until(5, ["square", "failed"]);
      worker.terminate();
      return { kinds: got.map((one) => `${one.id} ${one.ask}`), lanes: lanes.map((lane) => lane.tokens), square };
    })()"""
    found = tab.ask(script, {"host": HOST})
    assert {"2 dropped", "3 dropped", "4 first", "4 written"} <= set(found["kinds"])
    assert found["lanes"][0] == found["lanes"][1] and len(found["lanes"][0]) == 10
    assert found["square"]["ask"] == "square" and set(found["square"]["drafts"]) == {"ptp", "blind"}
