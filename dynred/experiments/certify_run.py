"""The model of a run folder certified on a denser sample."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dynred.arguments import public
from dynred.checks import integer
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.certify import FOLLOWED
from dynred.experiments.publish import certificate, known_set_of
from dynred.experiments.source import simulate_parts
from dynred.experiments.stored_run import opened
from dynred.files import write_json
from dynred.memory import check_memory
from dynred.ode.system import System
from dynred.rng import generator
from dynred.runtime import Runtime

COPIES = 4  # of the samples of a certificate: states, reconstructions, their differences, and those on the tube


@public
def certify_run(
    out: str | Path,
    *,
    samples: int = 100_000,
    seed: int = 1,
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Certificate:
    """Certifies the model of a run folder on a denser sample of K than its report does, and renews certificate.json.

    Args:
        out: the run folder.
        samples: points of K, where its system can draw them; else as many snapshots at least, from fresh simulations
            of new initial states; data without an equation have no more than their test trajectories.
        seed: of the sample.
        runtime: progress.
        plugins, trust: which code of one's own may run; see `opened`.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its system or data are gone or changed, or its code may not run.
    """
    runtime = runtime or Runtime()
    integer("samples", samples, 2)
    integer("seed", seed, 0)
    with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
        spec, model, source = stored.spec, stored.model, stored.source
        check_memory(f"a certificate on {samples} samples", COPIES * 8 * samples * source.dim, "Take fewer samples.")
        if isinstance(source, System):
            _, _, test = simulate_parts(source, replace(spec.data, train=1, validation=1, test=FOLLOWED), seed, runtime)
            if known_set_of(source).sample is None:
                more = -(-samples // int(test.lengths[0]))
                _, _, test = simulate_parts(source, replace(spec.data, train=1, validation=1, test=more), seed, runtime)
        else:
            _, _, test = stored.parts(runtime)
        found = certificate(model, source, test, generator(seed, "certificate"), samples)
        write_json(stored.folder / "certificate.json", found.to_dict(), Path.is_file)
        return found
