"""The explorer's page: its controls without a browser, and all of it in headless Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("panel", reason="the explorer's page needs Panel: pip install 'netlib-v1[explore]'")

import param

from netlib.explore import BREAKS, Explorer, ExplorerState, compute, to_python
from netlib.explore.explorer import _with_still, _with_styles, serve
from netlib.explore.page import Page, Worker
from netlib.explore.plots import MOST_SPIKES, movie_uri

# ---------------------------------------------------------------- without a browser


@pytest.fixture(scope="module")
def page():
    """One page, which tests bring back to its first state."""
    return Page(ExplorerState()).start()


@pytest.fixture
def fresh(page):
    page._become(ExplorerState())
    return page


def let_go(page, name: str, value: float) -> None:
    """What the browser says when a slider is let go."""
    slider = page.controls.sliders[name]
    slider.value = value
    with param.edit_constant(slider):
        slider.value_throttled = value


def message(page) -> str:
    return re.sub("<[^>]*>", "", page.message.object) if page.message.visible else ""


def test_a_slider_let_go_changes_every_picture(fresh):
    before = {name: {key: np.array(value) for key, value in s.data.items()} for name, s in fresh.plots.sources.items()}
    movie, numbers = fresh.movie.object, fresh.numbers.object
    let_go(fresh, "orientation", 30.0)
    assert fresh.state == ExplorerState(orientation=30.0)
    assert fresh.controls.boxes["orientation"].value == "30"
    for name in ("spikes E", "spikes I", "map", "ring E", "mark", "bump E", "fit E", "cell 0"):
        now = fresh.plots.sources[name].data
        assert any(not np.array_equal(before[name][key], now[key]) for key in now), name
    assert fresh.movie.object != movie
    assert fresh.numbers.object != numbers
    assert fresh.source.value == to_python(fresh.state)


def test_a_slider_on_its_way_changes_nothing(fresh):
    fresh.controls.sliders["orientation"].value = 60.0
    assert fresh.state == ExplorerState()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("contrast", "3", "contrast = 3 is out of range: it must be in [0, 1]"),
        ("delay", "0.05", "delay = 0.05 ms is out of range: it must be in [0.2, 20] ms"),
        ("E_to_E", "lots", "E_to_E = 'lots' is not a number: it must be in [0, 20]"),
        ("seed", "x", "seed = 'x'"),
        ("contrast", "<script>", "contrast = '&lt;script&gt;' is not a number"),
    ],
)
def test_a_bad_value_shows_a_message_and_keeps_the_picture(fresh, name, text, words):
    pictures = fresh._pictures
    fresh.controls.boxes[name].value = text
    assert words in fresh.message.object.replace("&#x27;", "'")
    assert fresh.state == ExplorerState()
    assert fresh.controls.boxes[name].value == text
    assert "solid" in fresh.controls.boxes[name].styles["outline"]
    assert fresh._pictures == pictures


@pytest.mark.parametrize("text", ["0.5", "0,5"])
def test_a_good_value_after_a_bad_one_takes_the_message_away(fresh, text):
    fresh.controls.boxes["contrast"].value = "3"
    pictures = fresh._pictures
    fresh.controls.boxes["contrast"].value = text
    assert fresh.state == ExplorerState(contrast=0.5)
    assert message(fresh) == ""
    assert fresh._pictures == pictures + 1
    assert fresh.controls.boxes["contrast"].styles["outline"] == "none"


@pytest.mark.slow
def test_a_choice_that_the_network_refuses_goes_back(fresh):
    fresh.controls.lists["network"].value = "bump"
    fresh.controls.lists["plasticity"].value = "STDP, E to E"
    assert "plasticity = " in message(fresh)
    assert fresh.controls.lists["plasticity"].value == "off"


def test_an_error_while_computing_is_shown(fresh, monkeypatch):
    def fails(state):
        raise MemoryError("no room")

    monkeypatch.setattr("netlib.explore.page.compute", fails)
    let_go(fresh, "contrast", 0.35)
    assert message(fresh) == "MemoryError: no room"


def test_a_break_explains_itself_and_other_states_say_what_differs(fresh):
    fresh.buttons["silence"].clicks += 1
    assert BREAKS["silence"].explanation in fresh.explanation.object
    assert fresh.buttons["silence"].button_type == "primary"
    let_go(fresh, "I_to_E", 5.0)
    assert "I to E weight × 5" in fresh.explanation.object
    assert fresh.buttons["silence"].button_type == "default"


def test_a_natural_movie_and_no_spikes_at_all_can_be_shown(fresh):
    fresh.controls.lists["stimulus"].value = "NaturalMovie"
    assert message(fresh) == ""
    assert fresh.controls.sliders["orientation"].disabled
    fresh._become(ExplorerState(input=0.0, contrast=0.0))
    assert message(fresh) == ""
    assert "E <b>0 Hz</b>" in fresh.numbers.object


@pytest.mark.slow
def test_few_enough_spikes_are_sent_to_the_browser(fresh):
    fresh._become(BREAKS["runaway"].state())
    assert len(compute(fresh.state).recording.spike_time) > 10 * MOST_SPIKES
    assert max(len(fresh.plots.sources[f"spikes {slot}"].data["t"]) for slot in "EI") <= MOST_SPIKES


def test_the_movie_is_a_small_gif():
    uri, slower = movie_uri(compute(ExplorerState()).movie)
    assert uri.startswith("data:image/gif;base64,R0lGOD")
    assert len(uri) < 300_000
    assert slower == 4.0


def test_the_worker_skips_what_is_no_longer_wanted(monkeypatch):
    begun, go, done, shown = threading.Event(), threading.Event(), threading.Event(), []

    def slow(state):
        begun.set()
        go.wait(10)
        return state.contrast

    monkeypatch.setattr("netlib.explore.page.compute", slow)
    worker = Worker(lambda state, outcome: (shown.append(outcome), done.set()), lambda function: function())
    states = [ExplorerState(contrast=c) for c in (0.1, 0.2, 0.3)]
    worker.ask(states[0])
    assert begun.wait(10)
    worker.ask(states[1])
    worker.ask(states[2])
    go.set()
    assert done.wait(10)
    assert shown == [0.3]


def test_the_widget_of_a_notebook_follows_its_sliders():
    explorer = Explorer(contrast=0.5)
    page = Page(explorer.state, changed=explorer._follow).start()
    let_go(page, "contrast", 0.4)
    assert explorer.state.contrast == 0.4


def test_a_saved_widget_falls_back_on_the_picture_and_asks_the_web_for_nothing():
    from panel.io.resources import CDN_DIST

    html = _with_styles(f'<div id="root"></div><script>"{CDN_DIST}css/loading.css?v=1.9.4"</script>')
    assert "https://" not in html
    assert "data:text/css;base64," in html
    assert '<img class="netlib-still"' in _with_still(html, "AAAA")


def test_a_port_that_is_no_port_is_refused():
    with pytest.raises(ValueError, match=r"port = 70000 is out of range: it must be in \[0, 65535\]"):
        serve(70000)


# ---------------------------------------------------------------- in Chromium

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
#: Longest time from letting a slider go to the picture (s): 2 on an idle machine, more where tests run beside others.
LONGEST = float(os.environ.get("NETLIB_EXPLORER_SECONDS", "30"))


@pytest.fixture(scope="module")
def chromium():
    """Playwright with a Chromium: the system's or its own; without one a skip, or a failure where it is required."""
    missing = pytest.fail if os.environ.get("NETLIB_BROWSER") == "required" else pytest.skip
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the browser test needs Playwright: pip install 'netlib-v1[dev]'")
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        found = found or playwright.chromium.executable_path
        if not Path(found).exists():
            missing("the browser test needs Chromium: apt-get install chromium, or playwright install chromium")
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server():
    """The command's server in a process of its own; its address."""
    code = "import typer; from netlib.explore.command import explore; typer.run(explore)"
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--port", "0", "--no-browser"], env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    if not found:
        process.kill()
        pytest.fail(f"no address from the server: {line}{process.stderr.read()}")
    yield found[0]
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert (process.returncode, errors) == (0, "")


class Shown:
    """The page in the browser."""

    def __init__(self, page, address: str) -> None:
        self.page, self.errors, self.asked = page, [], []
        page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("[data-pictures]", timeout=120_000)

    @property
    def pictures(self) -> int:
        return int(self.page.locator("[data-pictures]").get_attribute("data-pictures"))

    def after(self, act) -> float:
        """Do something and wait for the next picture; how long that took (s)."""
        number, start = self.pictures, time.perf_counter()
        act()
        self.page.wait_for_selector(f'[data-pictures="{number + 1}"]', timeout=120_000)
        return time.perf_counter() - start

    def pixels(self) -> list[bytes]:
        """What the figures look like."""
        plots = self.page.locator(".bk-Figure")
        self.page.wait_for_timeout(300)
        return [plots.nth(k).screenshot() for k in range(plots.count())]

    def drag(self, slider: int, by: float) -> None:
        box = self.page.locator(".noUi-handle").nth(slider).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + by, y, steps=4)
        self.page.mouse.up()

    def type(self, box: int, text: str) -> None:
        field = self.page.locator("input[type=text]").nth(box)
        field.fill(text)
        field.press("Enter")

    def text(self, box: int) -> str:
        return self.page.locator("input[type=text]").nth(box).input_value()


@pytest.fixture(scope="module")
def shown(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return Shown(context.new_page(), server)


@pytest.mark.slow
def test_the_page_works_in_a_browser(shown):
    assert shown.page.title() == "netlib explorer"
    first, numbers = shown.pixels(), shown.page.locator(".netlib-numbers").inner_text()
    assert len(first) == 5

    took = shown.after(lambda: shown.drag(0, 40))  # orientation
    second = shown.pixels()
    assert [a == b for a, b in zip(first, second, strict=True)] == [False] * 5, "some figure did not change"
    assert shown.page.locator(".netlib-numbers").inner_text() != numbers
    again = shown.after(lambda: shown.drag(4, 25))  # E to E weight: no new movie
    print(f"slider to picture: {took:.2f} s with a new movie, {again:.2f} s without")
    assert max(took, again) < LONGEST

    number = shown.pictures
    shown.type(2, "3")
    words = shown.page.wait_for_selector(".netlib-message").inner_text()
    assert "contrast = 3 is out of range: it must be in [0, 1]" in words
    assert shown.pictures == number
    assert shown.text(2) == "3"
    shown.after(lambda: shown.type(2, "0.5"))
    assert shown.page.locator(".netlib-message").count() == 0
    assert shown.text(2) == "0.5"

    shown.after(lambda: shown.page.get_by_text("epilepsy", exact=True).click())
    shown.page.get_by_text("ignites all cells").wait_for()
    shown.page.get_by_text("copy the Python", exact=True).click()
    shown.page.get_by_text("copied", exact=True).wait_for()
    assert shown.page.evaluate("navigator.clipboard.readText()") == to_python(BREAKS["epilepsy"].state())

    assert shown.errors == []
    hosts = {url.split("/")[2] for url in shown.asked if not url.startswith(("data:", "blob:"))}
    assert len(hosts) == 1, f"the page asks others than its server: {hosts}"
    size = shown.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size[0] <= 1280, "the page is wider than the window"


@pytest.mark.slow
def test_two_pages_have_states_of_their_own(shown, chromium, server):
    other = Shown(chromium.new_page(), server)
    number = shown.pictures
    other.after(lambda: other.page.get_by_text("silence", exact=True).click())
    assert shown.pictures == number
    assert other.errors == []


# ---------------------------------------------------------------- a kernel that somebody sits at


@pytest.mark.slow
def test_a_kernel_gives_sliders_to_who_can_move_them():
    """A program that can ask its user is JupyterLab and its like; for others see the test of nbconvert."""
    manager_module = pytest.importorskip("jupyter_client.manager")
    manager, client = manager_module.start_new_kernel(kernel_name="python3")
    found = []

    def keep(message):
        if message["msg_type"] in ("execute_result", "error"):
            found.append(message["content"])

    try:
        code = "from netlib.explore import Explorer\nExplorer(contrast=0.5)"
        client.execute_interactive(code, allow_stdin=True, output_hook=keep, timeout=240)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (content,) = found
    assert "data" in content, content.get("traceback")
    assert {"text/html", "image/png"} <= set(content["data"])
    assert "netlib-still" in content["data"]["text/html"]
    assert "https://cdn" not in json.dumps(content["data"])
