"""The page of a study: what it shows, and what it does in a browser. Skipped there without Chromium."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dynred.report.study_page import render
from dynred.studies.study_folder import Goal

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# What a reader does: sorts by nmse twice, filters, draws another chart; and what the page shows then.
PROBE = """
<script>
addEventListener("load", () => {
  const column = name => [...document.querySelectorAll("#runs thead th")].find(th => th.textContent.trim() === name);
  const cells = name => {
    const i = [...document.querySelectorAll("#runs thead th")].indexOf(column(name));
    const rows = [...document.querySelectorAll("#runs tbody tr")].filter(tr => !tr.hidden);
    return rows.map(tr => tr.cells[i].textContent.trim());
  };
  const filter = text => {
    const field = document.getElementById("filter");
    field.value = text;
    field.dispatchEvent(new Event("input"));
    return cells("latent_dim").length;
  };
  const chosen = (id, value) => {
    const select = document.getElementById(id);
    select.value = value;
    select.dispatchEvent(new Event("change"));
  };
  const told = { before: cells("nmse"), errors: [] };
  column("nmse").click();
  told.rising = cells("nmse");
  column("nmse").click();
  told.falling = cells("nmse");
  told.failed = filter("failed");
  told.small = filter("nmse<0.05 seed=0");
  told.count = document.getElementById("count").textContent;
  told.all = filter("");
  told.points = document.querySelectorAll("#chart circle").length;
  told.lines = document.querySelectorAll("#chart polyline").length;
  chosen("by", "reducer");
  told.linesBy = document.querySelectorAll("#chart polyline").length;
  chosen("axis", "reducer");
  chosen("score", "valid_time.median");
  told.title = [...document.querySelectorAll("#chart text")].map(text => text.textContent);
  const names = performance.getEntriesByType("resource").map(each => each.name);
  told.fetched = names.filter(name => !name.startsWith("data:"));
  told.images = document.images.length;
  told.painted = [...document.images].filter(image => image.naturalWidth > 0).length;
  told.width = document.documentElement.scrollWidth;
  parent.document.body.setAttribute("data-told", JSON.stringify(told));
});
</script>
</body>"""


@pytest.fixture(scope="module")
def frame():
    rows = [
        {"latent_dim": d, "seed": s, "reducer": r, "nmse": (1 + s) * 10.0**-d * (2 if r == "pod" else 1)}
        for d in (1, 2, 3)
        for s in (0, 1)
        for r in ("pod", "autoencoder")
    ]
    frame = pd.DataFrame(rows)
    frame["valid_time.median"] = frame["latent_dim"] * 1.5
    frame["total_s"], frame["reducer_s"] = 100.0, 60.0
    frame["status"], frame["error"], frame["reused"] = "done", "", "simulation"
    frame["folder"] = [f"/there/study/runs/{i}" for i in range(len(frame))]
    frame.loc[3, ["nmse", "valid_time.median", "total_s", "reducer_s"]] = np.nan
    frame.loc[3, "status"], frame.loc[3, "error"] = "failed", "x must be <b>small</b>, got `7`."
    return frame


@pytest.fixture(scope="module")
def page(frame):
    goal = Goal("nmse", "min")
    return render(frame, ("latent_dim", "seed", "reducer"), Path("/there/study"), Path("/there/study"), goal)


def test_the_page_names_failures_costs_and_reports(page):
    assert page.count('href="runs/') == 11
    assert "x must be &lt;b&gt;small&lt;/b&gt;, got <code>7</code>." in page
    assert "11 done, 1 failed" in page
    assert ">18.3 min<" in page
    assert "Parallel coordinates" in page
    assert "A search for the smallest nmse" in page


def test_the_same_table_gives_the_same_page(frame, page):
    goal = Goal("nmse", "min")
    assert render(frame, ("latent_dim", "seed", "reducer"), Path("/there/study"), Path("/there/study"), goal) == page


def test_a_study_of_which_nothing_is_done_has_a_page(frame):
    nothing = frame[frame["status"] == "failed"]
    assert "1 failed" in render(nothing, ("latent_dim", "seed", "reducer"), Path("/there"), Path("/there"))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_reader_sorts_filters_and_draws(page, tmp_path):
    path = tmp_path / "page.html"
    framed = html.escape(page.replace("</body>", PROBE))
    path.write_text(f'<body><iframe style="width:390px; height:900px; border:0" srcdoc="{framed}"></iframe></body>')
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=20000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    answer = re.search(r'data-told="([^"]*)"', done.stdout)
    assert answer, done.stderr[-2000:]
    told = json.loads(html.unescape(answer[1]))
    numbers = [float(text) for text in told["rising"][:-1]]
    assert numbers == sorted(numbers)
    assert told["rising"][-1] == told["falling"][-1] == ""  # what is missing comes last either way
    assert [float(text) for text in told["falling"][:-1]] == numbers[::-1]
    assert (told["failed"], told["small"], told["all"]) == (1, 4, 12)
    assert told["count"] == "4 of 12 runs"
    assert (told["points"], told["lines"], told["linesBy"]) == (11, 1, 2)
    assert {"reducer", "valid_time.median"} <= set(told["title"])
    assert told["fetched"] == []
    assert told["images"] == told["painted"] >= 3
    assert told["width"] <= 390
