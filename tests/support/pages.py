"""What the browser tests share: a slow model, hostile texts, and contrasts of what is on the page."""

from __future__ import annotations

import json
import time

from playwright.sync_api import ConsoleMessage, Page

from app.race.races import LANES, recorded_race

HOSTILE = [
    "${1+41}",
    "{{value}}",
    "\\",
    "<img src=x onerror=alert(1)>",
    "</script><b>x</b>",
    "\u202eabc",
    "a\u200bb",
    "שלום",
    "\ufffd",
    "`x`",
    "\n\n",
]

# what Gradio writes when a page is left while it still listens to the server
_LEFT = ("AbortError", "Connection errored out", "BodyStreamBuffer was aborted")


UNVEILED = """() => document.querySelector(".ptp-header")
  && !document.querySelector("[data-testid=status-tracker].full.translucent")"""


def wait_for_gradio(page: Page) -> None:
    """Waits until Gradio takes the veil off that it lays over a page while it loads; clicks meet it until then."""
    page.wait_for_function(UNVEILED)


def at_width(page: Page, width: int) -> None:
    """Gives the page another width, and time to draw itself anew."""
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(300)


def counts(message: ConsoleMessage) -> bool:
    """Whether a line of the console is an error of a page that was not left."""
    return message.type == "error" and not any(part in message.text for part in _LEFT)


def hostile_race():
    """A recorded race whose tokens, drafts and prompt are texts that a page must not take for markup."""
    race = json.loads(json.dumps(recorded_race("sky").to_dict()))
    for lane in LANES:
        emitted = [e for step in race[lane]["steps"] for e in step["emitted"]]
        for token, text in zip(emitted, HOSTILE, strict=False):
            token["text"] = text
            token["candidates"][0]["text"] = text
        for step in race[lane]["steps"]:
            for i, draft in enumerate(step["drafts"]):
                draft["text"] = HOSTILE[i % len(HOSTILE)]
        race[lane]["prompt"] = "${1+41} <script>alert(1)</script>"
    return race


CONTRASTS = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const c = parse(getComputedStyle(node).backgroundColor);
      if (c.length < 4 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const found = {};
  const texts = ".ptp-race :is(span, b, h3, p, button, small, summary), .ptp-header *";
  for (const node of document.querySelectorAll(texts)) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || node.closest("[hidden], .ptp-spoken") || !node.offsetParent) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const name = node.className || node.tagName;
    found[name] = Math.min(found[name] ?? 21, (a + 0.05) / (b + 0.05));
  }
  return found;
}"""


def slow(monkeypatch, seconds=0.08):
    """Makes every model call of the server take a while, so that there is something to stop."""
    from ptp_core.decoding.session import Session

    plain = Session.call

    def call(self, *arguments):
        time.sleep(seconds)
        return plain(self, *arguments)

    monkeypatch.setattr(Session, "call", call)


def serious(page, axe: str, where: str = "body") -> list:
    """What axe-core finds of serious or critical faults inside an element: (rule, the first elements)."""
    page.evaluate(axe)
    found = page.evaluate("where => axe.run(where, { resultTypes: ['violations'] }).then((r) => r.violations)", where)
    return [
        (v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found if v["impact"] in ("serious", "critical")
    ]
