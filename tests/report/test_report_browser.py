"""The report in a browser: nothing is fetched, every picture is drawn, it fits a phone. Skipped without Chromium."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from test_report import SETTINGS, line, scored, waves

from dynred.evaluation.agreement import agreements
from dynred.evaluation.records import Exponents, LongTime
from dynred.report.model_page import render

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium")

# What the page itself tells when it is loaded, in a frame: a browser's own window cannot be as narrow as a phone.
# An image that was not decoded paints nothing, so its pixels are all the same.
PROBE = """
<script>
const painted = image => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 100;
  const context = canvas.getContext("2d");
  if (image.naturalWidth) context.drawImage(image, 0, 0, 100, 100);
  return new Set(new Uint32Array(context.getImageData(0, 0, 100, 100).data.buffer)).size > 1;
};
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth);
  parent.document.body.setAttribute("data-found", JSON.stringify({
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    images: document.images.length,
    painted: [...document.images].filter(painted).length,
    fetched: performance.getEntriesByType("resource").map(one => one.name).filter(name => !name.startsWith("data:")),
    scrolling: wide.map(e => `${e.tagName}.${e.className} ${e.scrollWidth}: ${e.innerText.slice(0, 40)}`),
  }));
});
</script>
</body>"""


@pytest.fixture(scope="module")
def text():
    """A page with everything that can be on it: baselines, statistics, very long rollouts, exponents."""
    context = scored(waves(), line())
    statistics = agreements(context.forecast, context.grid)
    values = Exponents([0.0454, -0.0009, -1.25], [0.001, 0.002, 0.01], 2.04)
    found = LongTime(100, 10000.0, 3, (0.6, 8.5), statistics, values, values)
    return render(replace(context, evaluation=replace(context.evaluation, long_time=found)), SETTINGS)


def browse(path, folder, *options):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={folder / 'profile'}", *options, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def probed(text, folder, width):
    path = folder / "page.html"
    framed = html.escape(text.replace("</body>", PROBE))
    path.write_text(f'<body><iframe style="width:{width}px; height:900px; border:0" srcdoc="{framed}"></iframe></body>')
    done = browse(path, folder, "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom")
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_fetches_nothing_and_shows_every_picture(text, tmp_path, width):
    found = probed(text, tmp_path, width)
    assert found["width"] == width
    assert found["page"] <= width
    assert found["painted"] == found["images"] == text.count("<img ") >= 6
    assert found["fetched"] == []
    assert found["scrolling"] == []


def test_the_probe_sees_what_a_page_must_not_have(text, tmp_path):
    faults = (
        '<div style="width:2000px">.</div><img src="data:image/png;base64,AAAA"><img src="http://127.0.0.1:9/no.png">'
    )
    found = probed(text.replace("<main>", f"<main>{faults}"), tmp_path, 390)
    assert found["page"] > 390
    assert found["painted"] == found["images"] - 2
    assert any("no.png" in name for name in found["fetched"])


def test_the_page_prints(text, tmp_path):
    path, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    path.write_text(text)
    browse(path, tmp_path, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    assert printed.read_bytes().startswith(b"%PDF")
    assert printed.stat().st_size > 20_000
