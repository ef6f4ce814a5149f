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
        samples: how many points of K are drawn. A system that cannot draw them is simulated from new initial states
            until there are as many snapshots; data without an equation have no more than their test trajectories.
        seed: decides the sample.
        runtime: reports progress.
        plugins: files whose code may run; see `opened`.
        trust: whether all code that the run names may run; see `opened`.

    Raises:
        FileFormatError: the folder holds no run, or an unreadable one.
        InputError: the system or data of the run are gone or changed, or its code may not run.
    """
    runtime = runtime or Runtime()
    integer("samples", samples, 2)
    integer("seed", seed, 0)
    with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
        spec, model, source = stored.spec, stored.model, stored.source
        check_memory(f"a certificate on {samples} samples", COPIES * 8 * samples * source.dim, "Take fewer samples.")
        test = source.unseen(spec.data, spec.seed, samples, sample_seed=seed, runtime=runtime)
        renewed = certificate(model, source, model.prepared(test), generator(seed, "certificate"), samples)
        write_json(stored.folder / "certificate.json", renewed.to_dict(), Path.is_file)
        return renewed
