"""Labels on their way from the browser to the hub."""

from pathlib import Path

import pytest

import tenfold.web.console
from consoles import chromium, needs_chromium, page_of

pytestmark = needs_chromium
SCRIPT = Path(tenfold.web.console.__file__).parent / "static" / "outbox.js"
QUICK = """async () => {
    const sent = [], on = {waits() {}, taken() {}, refused() {}, silent: "silent"};
    const send = async (label) => { sent.push(label.key); return new Response("{}"); };
    const outbox = new TenfoldOutbox("labels", 200, send, on);
    for (let n = 0; n < 20; n += 1) {
        outbox.put({key: `label ${n}`});
        await new Promise((go) => setTimeout(go, 50));
    }
    return {sent, waiting: outbox.all.length};
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    blank = tmp_path_factory.mktemp("blank") / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    with chromium() as browser, page_of(browser) as opened:
        opened.goto(blank.as_uri())
        opened.add_script_tag(path=SCRIPT)
        yield opened


def test_labels_of_somebody_quick_are_sent_while_they_go_on(page):
    told = page.evaluate(QUICK)
    assert told["sent"][:8] == [f"label {n}" for n in range(8)]
    assert told["waiting"] <= 12
