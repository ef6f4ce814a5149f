"""Runs the examples, gathers their results, and writes the tables that README and site show.

    python docs/reproduce.py                       # every command in the docstrings of examples/, at full size
    python docs/reproduce.py --only he_2023        # those of one example
    python docs/reproduce.py --small               # trials, which are printed and not published
    python docs/reproduce.py --tables              # the tables again, from docs/results.json

A command that has left its results is skipped, so that an interrupted run goes on. Each is run alone, and its minutes
are of processor time, of all its processes: they do not depend on what else the machine does. Results of full size go
to docs/results.json, one picture of each command to docs/_static/gallery/.
"""

import argparse
import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results.json"
PICTURES = ROOT / "docs" / "_static" / "gallery"
WIDTH = 640  # of a picture, in pixels: a few tens of kB
BEGIN, END = "<!-- results: written by make reproduce -->\n", "<!-- end of results -->"
NMSE = ("reconstruction nmse", "valid time, median")
# The README shows these: an example, its arguments, what is said before a case, and which cases, by default all.
HEADLINES = (
    ("default_reduction", "", "Kuramoto-Sivashinsky, 64 -> 8 (Linot & Graham 2022): ", NMSE),
    ("default_reduction", "--dynamics neural_ode", "the same without its symmetries, with a network: ", NMSE),
    ("local_model", "", "one local model: ", ()),
    ("champion_2019", "lorenz", "128 dimensions (Champion et al. 2019), ", ("lorenz: error of x, in distribution",)),
    ("he_2023", "", "Burgers (gLaSDI), ", ("5 coordinates: worst error, %", "5 coordinates: mean speed-up")),
)


def scripts() -> list[Path]:
    """The examples that are run."""
    return [path for path in sorted((ROOT / "examples").glob("*.py")) if "__main__" in path.read_text(encoding="utf-8")]


def parts() -> list[Path]:
    """The files beside them that they import."""
    return sorted({*(ROOT / "examples").glob("*.py")} - {*scripts()})


def docstring(script: Path) -> str:
    """What a script says of itself."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""


def title(script: Path) -> str:
    """The first line of its docstring."""
    return docstring(script).partition("\n")[0]


def arguments(script: Path) -> list[tuple[str, ...]]:
    """The arguments of every command in its docstring, without `--out`; of one without any where there is none."""
    prefix, found = f"python examples/{script.name}", []
    for line in docstring(script).splitlines():
        if line.strip().startswith(prefix) and "--small" not in line:
            words = shlex.split(line.strip().removeprefix(prefix), comments=True)
            at = words.index("--out") if "--out" in words else len(words)
            found.append((*words[:at], *words[at + 2 :]))
    return list(dict.fromkeys(found)) or [()]


def name_of(words: tuple[str, ...]) -> str:
    """The folder of a command."""
    return "-".join(word.strip("-") for word in words) or "plain"


def children_s() -> float:
    """Processor time of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def run(script: Path, words: tuple[str, ...], out: Path, small: bool) -> dict | None:
    """What a command leaves in `out`, which is made unless it is there; None where it fails."""
    record = out / "command.json"
    if not record.exists():
        out.mkdir(parents=True, exist_ok=True)
        start = children_s()
        command = [sys.executable, str(script), *words, "--out", str(out), *(["--small"] if small else [])]
        print(shlex.join(["python", f"examples/{script.name}", *words]), flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return None
        minutes = (children_s() - start) / 60
        record.write_text(json.dumps({"minutes": minutes}), encoding="utf-8")
    # An example names its pictures; the first is shown.
    return {
        "script": script.stem,
        "arguments": shlex.join(words),
        "minutes": float(f"{json.loads(record.read_text(encoding='utf-8'))['minutes']:.2g}"),
        "rows": json.loads((out / "results.json").read_text(encoding="utf-8")),
    }


def publish(entry: dict, out: Path) -> None:
    """Puts the results of a command in the place of its earlier ones, and a picture of it beside them."""
    entries = stored()
    entries[entry["script"], entry["arguments"]] = entry
    RESULTS.write_text(json.dumps([entries[key] for key in sorted(entries)], indent=1) + "\n", encoding="utf-8")
    pictures = sorted(out.glob("*.png"))
    if pictures:
        PICTURES.mkdir(parents=True, exist_ok=True)
        image = Image.open(pictures[0]).convert("RGB")
        image.thumbnail((WIDTH, WIDTH))
        image.quantize(128).save(PICTURES / f"{picture_of(entry)}.png", optimize=True)


def picture_of(entry: dict) -> str:
    """The name of the picture of a command."""
    return f"{entry['script']}-{name_of(tuple(shlex.split(entry['arguments'])))}"


def stored() -> dict[tuple[str, str], dict]:
    """The published results by script and arguments."""
    entries = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {(entry["script"], entry["arguments"]): entry for entry in entries}


def cells(entry: dict, row: dict) -> tuple[str, str, str, str]:
    """Case, what is published, what is found, and minutes, of a row; `earlier` where they were not counted: rows that
    this script has not measured, since it is younger than they are."""
    ours = f"{row['ours']:.3g}" if isinstance(row["ours"], float) else str(row["ours"])
    minutes = row.get("minutes") or entry["minutes"]
    counted = "earlier" if minutes is None else f"{minutes:.2g}"
    return row["case"].replace("|", "\\|"), row["published"] or "", ours, counted


def command(entry: dict) -> str:
    """The command that prints the rows."""
    return " ".join(f"python examples/{entry['script']}.py {entry['arguments']}".split())


def table(rows: list[tuple[dict, dict]]) -> str:
    """Rows of a table in Markdown; a command stands where it changes."""
    lines = ["| | published | here | minutes | command |", "|---|---|---|---|---|"]
    before = None
    for entry, row in rows:
        lines.append(f"| {' | '.join(cells(entry, row))} | {'' if entry is before else f'`{command(entry)}`'} |")
        before = entry
    return "\n".join(lines) + "\n"


def headlines(entries: dict[tuple[str, str], dict]) -> str:
    """The table of the README."""
    rows = []
    for script, words, before, cases in HEADLINES:
        entry = entries.get((script, words), {"rows": []})
        chosen = [row for row in entry["rows"] if not cases or row["case"] in cases]
        rows += [(entry, {**row, "case": before + row["case"]}) for row in chosen]
    return table(rows)


def all_results(entries: dict[tuple[str, str], dict]) -> str:
    """A table for each example."""
    parts = []
    for script in scripts():
        own = [(entry, row) for (name, _), entry in entries.items() if name == script.stem for row in entry["rows"]]
        if own:
            parts.append(f"### {title(script)}\n\n{table(own)}")
    return "\n".join(parts)


def with_table(text: str, new: str) -> str:
    """A page with `new` between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{new}\n{END}{rest.partition(END)[2]}"


def pages() -> dict[Path, str]:
    """What README and the page of results must be."""
    entries = stored()
    made = {ROOT / "README.md": headlines(entries), ROOT / "docs" / "results.md": all_results(entries)}
    return {path: with_table(path.read_text(encoding="utf-8"), new) for path, new in made.items()}


def main(out: Path, only: list[str], small: bool, tables: bool) -> int:
    """Runs what is asked for; returns how many commands failed."""
    failed = 0
    for script in [] if tables else scripts():
        for words in arguments(script) if not only or script.stem in only else ():
            folder = out / script.stem / name_of(words)
            entry = run(script, words, folder, small)
            failed += entry is None
            if entry is not None and small:
                print(table([(entry, row) for row in entry["rows"]]), flush=True)
            elif entry is not None:
                publish(entry, folder)
    if not small:
        for path, text in pages().items():
            path.write_text(text, encoding="utf-8")
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="results of full size")
    parser.add_argument("--only", nargs="+", default=[], help="names of examples")
    parser.add_argument("--small", action="store_true", help="trials of seconds; give them an OUT of their own")
    parser.add_argument("--tables", action="store_true", help="run nothing")
    given = parser.parse_args()
    sys.exit(1 if main(given.out, given.only, given.small, given.tables) else 0)
