"""A run folder into which harm is written, and all that reads one."""

import json
import shutil
import sys

from dynred.cli.app import main
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.experiments.certify_run import certify_run
from dynred.experiments.evaluate_run import evaluate_run
from dynred.files import read_json, read_tensors, write_json, write_tensors
from dynred.models.load import load_model
from dynred.rng import generator
from faults.children import GIGABYTE, in_child
from faults.material import files
from faults.watch import watched

EVIL = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")
from dynred.reducers.pod import PODSpec as Spec, POD as Reducer
from dynred.models.reduced import ReducedModel as Model
from dynred.solvers.explicit import Explicit as Solver
from dynred.ode.system import find_system
dim = 2
rhs = find_system("stuart_landau").rhs
system = evil = find_system("stuart_landau")
"""


class Trap:
    """A copy of a run, a file `evil.py` beside it and a file that tells whether it was run.

    Attributes:
        run: the run folder.
        home: the working directory, which is also on the module path.
        evil: the file.
        marker: written by whatever should not run.
    """

    def __init__(self, run, home):
        self.home, self.run, self.evil, self.marker = home, home / "run", home / "evil.py", home / "marker"
        home.mkdir(exist_ok=True)
        shutil.copytree(run, self.run)
        for folder in (home, self.run):
            (folder / "evil.py").write_text(EVIL.format(marker=str(self.marker)))

    def settings(self, path, value):
        """Changes an entry of experiment.json at a dotted path, with the right checksum."""
        stored = read_json(self.run / "experiment.json")
        _put(stored, path, self._filled(value))
        write_json(self.run / "experiment.json", stored)

    def model(self, path, value):
        """Changes an entry of the model's metadata."""
        tensors, metadata = read_tensors(self.run / "model.safetensors")
        _put(metadata, path, self._filled(value))
        write_tensors(self.run / "model.safetensors", tensors, metadata)

    def _filled(self, value):
        text = json.dumps(value).replace("EVIL", str(self.evil)).replace("MARKER", str(self.marker))
        return json.loads(text.replace("HOME", str(self.home)))

    def actions(self):
        """Everything that reads a run folder."""
        spectrum = {"rng": generator(0), "n": 1, "duration": 1.0, "interval": 0.1}
        commands = {name: (name, str(self.run)) for name in ("evaluate", "certify", "lyapunov")}
        commands["certify"] += ("--samples", "20")
        commands["lyapunov"] += ("--n", "1", "--duration", "1", "--interval", "0.1")
        return {
            "evaluate_run": lambda: evaluate_run(self.run),
            "certify_run": lambda: certify_run(self.run, samples=20),
            "load_model": lambda: load_model(self.run).predict([[1.0, 0.0]], [0.0, 1.0]),
            "lyapunov_spectrum": lambda: lyapunov_spectrum(load_model(self.run), **spectrum),
            **{f"dynred {name}": lambda tokens=tokens: main(list(tokens)) for name, tokens in commands.items()},
        }

    def sprung(self, seconds=30.0):
        """What went wrong when everything read the run folder."""
        before = files(self.home)
        ended = in_child(self._read, seconds=seconds, memory=2 * GIGABYTE, folder=self.home)
        assert not self.marker.exists(), "code was run"
        assert ended.code == 0, f"ended with {ended.code} after {ended.seconds:.0f} s: {ended.err[-300:]}"
        after = files(self.home)
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert not {name for name in changed if not name.startswith("run/")}, "files elsewhere were changed"
        return {**(ended.value or {}), **({"all": ended.trace} if ended.error else {})}, ended

    def _read(self):
        sys.path.insert(0, str(self.home))
        return watched([self.run, self.evil], self.actions())  # its content is compared with what was allowed


def _put(data, path, value):
    *parents, last = path.split(".")
    for name in parents:
        data = data[name] if isinstance(data, dict) else data[int(name)]
    data[last] = value
