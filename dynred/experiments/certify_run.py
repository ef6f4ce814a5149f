"""The model of a run folder certified on a denser sample."""

from collections.abc import Sequence
from pathlib import Path

from dynred.arguments import public
from dynred.checks import integer
from dynred.evaluation.certificate import Certificate
from dynred.experiments.publish import certificate
from dynred.experiments.stored_run import opened
from dynred.files import write_json
from dynred.memory import check_memory
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
        test = source.unseen(spec.data, spec.seed, samples, sample_seed=seed, runtime=runtime)
        promised = certificate(model, source, test, generator(seed, "certificate"), samples)
        write_json(stored.folder / "certificate.json", promised.to_dict(), Path.is_file)
        return promised
