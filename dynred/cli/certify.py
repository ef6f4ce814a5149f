"""`dynred certify`: the errors that a model makes on K, and those that topology makes unavoidable."""

from pathlib import Path
from typing import Annotated

from dynred.cli._completion import completed, runs
from dynred.cli._options import COMPUTATION, SOURCE, AsJson, Plugins, Trust, Whole, option
from dynred.cli.base import show, stderr, working

EXAMPLES = """
dynred certify runs/ks
dynred certify runs/ks --samples 10000 --json    # fewer points, as JSON
"""


def certify(
    run: Annotated[
        Path,
        option(SOURCE, "A run folder that `dynred reduce` made; its certificate.json is renewed.", **completed(runs)),
    ],
    /,
    *,
    samples: Annotated[
        Whole, option(COMPUTATION, "Points of K; where the system cannot draw them, snapshots of new simulations.")
    ] = 100_000,
    seed: Annotated[Whole, option(COMPUTATION, "Decides the sample.")] = 1,
    plugin: Plugins = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Certify the model of a run folder on a dense, fresh sample of K, beside what topology makes unavoidable."""
    from dynred.experiments.certify_run import certify_run

    with working() as runtime:
        certificate = certify_run(run, samples=samples, seed=seed, runtime=runtime, plugins=plugin or [], trust=trust)
    several = len(certificate.parts) > 1
    heads = ("", "K", *(f"component {i + 1}" for i in range(len(certificate.parts)) if several))
    title = f"{certificate.system}: errors on K, in state units"
    show(title, heads, certificate.rows(), certificate.to_dict(), as_json)
    for line in certificate.words():
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)
