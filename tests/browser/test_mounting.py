"""Every page mounts its module: at the root, behind a reverse proxy's path, and in another origin's frame."""

from __future__ import annotations

import gzip
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser
from support.server import free_port

from app import modules
from app.acceptance.results import Results
from app.main import build_demo, launch_options
from app.serving.models import ModelShelf
from app.tab.files import TabFiles

pytestmark = pytest.mark.browser

MOUNTED = {  # path of a page: what its module draws
    "": ".ptp-race .ptp-token",
    "noise": ".ptp-noise .nz-token",
    "acceptance": ".ptp-acceptance .ptp-table td",
    "learn": ".learn .learn-opening h1",
    "tab": ".tab-code .ptp-token",
}
ROOT = "/some/lab"


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def proxied(shelf: ModelShelf, results: Results, tab: TabFiles) -> Iterator[str]:
    """A second server of the lab with GRADIO_ROOT_PATH, seen through a proxy that strips that path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ROOT_PATH", ROOT)
        demo = build_demo(shelf, results, tab)
        options = {**launch_options(tab), "prevent_thread_lock": True, "quiet": True, "server_port": free_port()}
        _, address, _ = demo.launch(**options)

    class Proxy(Quiet):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{ROOT}/"):
                self.send_error(404)
                return
            behind = http.client.HTTPConnection(urlsplit(address).netloc)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            behind.request(self.command, self.path[len(ROOT) :], body, dict(self.headers.items()))
            answer = behind.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # the browser went away
                while chunk := answer.read1(65536):
                    self.wfile.write(chunk)
                    self.wfile.flush()

        do_POST = do_HEAD = do_GET

    for outside in serve(Proxy):
        yield outside + ROOT + "/"
    demo.close()


@pytest.fixture(scope="module")
def framed(url: str) -> Iterator[str]:
    """A page of another origin whose only content is the lab in a frame; the query names the lab's page."""

    class Host(Quiet):
        def do_GET(self) -> None:
            body = f"<iframe src='{url}{urlsplit(self.path).query}' width=1200 height=700></iframe>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    yield from serve(Host)


def seen(browser: Browser, address: str, wanted: str, frame: bool = False) -> list[str]:
    """Opens the address, waits for what the page's module draws, and returns the addresses of its modules."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    fetched, errors = [], []
    page.on("response", lambda answer: fetched.append(answer.url) if f"/{modules.PREFIX}/" in answer.url else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    (page.frame_locator("iframe") if frame else page).locator(wanted).first.wait_for()
    context.close()
    assert errors == []
    return [url for url in fetched if "/tab/worker/" not in url]  # a worker loads its own modules


# one page each way in `make test`: what differs from page to page is seen by the pages' own tests
ONE_OF_ALL = [pytest.param(path, marks=[pytest.mark.slow] if path else []) for path in MOUNTED]


@pytest.mark.parametrize("path", ONE_OF_ALL)
def test_a_page_mounts_at_the_root(browser, url, path):
    fetched = seen(browser, url + path, MOUNTED[path])
    assert fetched == [url + modules.address(modules.JOINED)], "all modules come in one answer"


@pytest.mark.parametrize("path", ONE_OF_ALL)
def test_a_page_mounts_behind_a_proxys_path(browser, proxied, path):
    fetched = seen(browser, proxied + path, MOUNTED[path])
    assert fetched == [proxied + modules.address(modules.JOINED)]


@pytest.mark.parametrize("path", ONE_OF_ALL)
def test_a_page_mounts_in_a_frame_of_another_origin(browser, framed, url, path):
    fetched = seen(browser, f"{framed}/?{path}", MOUNTED[path], frame=True)
    assert fetched
    assert all(address.startswith(url) for address in fetched)


def test_a_module_comes_with_its_type_and_may_be_kept_for_good(url):
    for module, text in [*modules.sources().items(), (modules.JOINED, modules.joined_module())]:
        with urllib.request.urlopen(url + modules.address(module)) as answer:
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
            assert answer.headers["Cache-Control"] == modules.FOR_GOOD
            assert answer.read() == text
        packed = urllib.request.Request(url + modules.address(module), headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(packed) as answer:
            assert answer.headers["Content-Encoding"] == "gzip" and gzip.decompress(answer.read()) == text


@pytest.mark.parametrize(
    "path",
    [
        "{version}/core/none.js",
        "{version}/../../modules.py",
        "{version}/%2e%2e/%2e%2e/modules.py",
        "0123456789ab/core/tickets.js",
    ],
)
def test_nothing_but_modules_of_this_version_is_served(url, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}{modules.PREFIX}/{path.format(version=modules.version())}")
    assert refused.value.code == 404
    assert "immutable" not in (refused.value.headers["Cache-Control"] or "")


def test_no_page_tells_where_the_modules_lie_on_the_disk(url):
    for path in MOUNTED:
        with urllib.request.urlopen(url + path) as answer:
            text = answer.read().decode()
        assert modules.PREFIX in text
        assert str(modules.STATIC) not in text


def test_a_sentence_stands_where_a_module_did_not_load(browser, url):
    context = browser.new_context()
    page = context.new_page()
    page.route(f"**/{modules.PREFIX}/**", lambda route: route.abort())
    page.goto(url)
    page.locator("#ptp-race").get_by_text(modules.LOST).wait_for()
    context.close()


def test_an_unknown_module_is_refused_when_the_page_is_built():
    with pytest.raises(ValueError, match="no module race/none"):
        modules.mount("race/none.js")
