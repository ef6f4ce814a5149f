"""What a shell offers for the names of systems and of run folders, found while somebody types.

Versions of cyclopts that cannot ask for such names complete commands and options alone.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from dynred.plugin_names import installed, names

MANIFEST = "experiment.json"  # of a run folder; whoever knows it imports torch, which a shell would wait for
MOST = 200  # entries of a folder that are offered


def completed(by: Callable[[Any], list[str]]) -> dict[str, Any]:
    """The attribute of a Parameter that completes its value."""
    return {"completer": by} if "completer" in inspect.signature(Parameter).parameters else {}


def sources(context: Any) -> list[str]:
    """Names of systems, then files and folders that go on as the incomplete word does."""
    return [*names("dynred.systems"), *installed("dynred.systems"), *_entries(context.incomplete)]


def runs(context: Any) -> list[str]:
    """Run folders, those in runs/ first, then folders in which there may be some."""
    begun = sorted(Path("runs").glob(f"*/{MANIFEST}")) if not context.incomplete else []
    folders = [entry for entry in _entries(context.incomplete) if entry.endswith("/")]
    return [*(str(manifest.parent) for manifest in begun), *folders]


def _entries(begun: str) -> list[str]:
    """Files, and folders with a slash at their end, whose paths begin so."""
    folder, _, start = begun.rpartition("/")
    place = Path(folder or ("/" if begun.startswith("/") else "."))
    try:
        entries = sorted(entry for entry in place.iterdir() if entry.name.startswith(start))
    except OSError:  # no such folder, or none that may be read
        return []
    visible = [entry for entry in entries if start.startswith(".") or not entry.name.startswith(".")]
    prefix = begun[: len(begun) - len(start)]
    return [f"{prefix}{entry.name}{'/' * entry.is_dir()}" for entry in visible[:MOST]]
