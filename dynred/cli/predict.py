"""`dynred predict`: trajectories that the model of a run predicts, into a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from dynred.cli._completion import completed, runs
from dynred.cli._options import (
    DATA,
    OUTPUT,
    SOURCE,
    AsJson,
    Device,
    Out,
    Overwrite,
    Parameters,
    Plugins,
    Trust,
    Whole,
    option,
)
from dynred.cli.base import pairs, show, working

if TYPE_CHECKING:
    from dynred.data.trajectories import Trajectories

EXAMPLES = """
dynred predict runs/ks --at 0 --out first.csv    # test trajectory 0
dynred predict runs/ks --initial states.npz --until 50 --out pred.nc
dynred predict runs/rod --at 0 --until 5 --inputs heat.csv --out p.npz
dynred predict runs/l63 --initial now.npz --until 5 --every 0.01 --out p.npz
"""

Initial = Annotated[
    Path | None,
    option(DATA, "A file of initial states `states [N, D]`, or of trajectories, of which the first states are taken."),
]
At = Annotated[Whole | None, option(DATA, "Begin with a test trajectory of the run instead, counted from 0.")]
Until = Annotated[
    float | None,
    option(DATA, "How long to predict, in time units; default with --at: as long as the test trajectory lasts."),
]
Every = Annotated[
    float | None,
    option(
        DATA,
        "Time between predicted states; default: as the trajectories are sampled, and for bare states a 200th of "
        "--until.",
    ),
]

Inputs = Annotated[
    Path | None,
    option(
        DATA,
        "A file with the inputs of the model as columns or arrays of their names, at times that count from the start; "
        "default: those of the test trajectory, or of the file of initial trajectories.",
    ),
]


def predict(
    run: Annotated[Path, option(SOURCE, "A run folder that `dynred reduce` made.", **completed(runs))],
    /,
    *,
    out: Annotated[Out, option(OUTPUT, "Where to put them: .nc, .npz, .zarr, or .csv with a row per state.")],
    initial: Initial = None,
    at: At = None,
    until: Until = None,
    every: Every = None,
    inputs: Inputs = None,
    set_: Parameters = None,
    plugin: Plugins = None,
    trust: Trust = False,
    device: Device = "auto",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Predict trajectories with the model of a run folder, from states of your own or of its test, into a file."""
    from dynred.data.tables import check_table, save_table
    from dynred.experiments.predict_run import predict_run

    check_table(out, overwrite=overwrite)
    given: dict[str, Any] = {"initial": initial, "at": at, "every": every, "parameters": pairs(set_ or [])}
    given["inputs"] = inputs
    with working(device) as runtime:
        prediction = predict_run(run, until, **given, runtime=runtime, plugins=plugin or [], trust=trust)
    save_table(prediction, out)
    facts = _facts(prediction, out)
    show(
        "predicted",
        ("", "value"),
        [(key.replace("_", " "), str(value)) for key, value in facts.items()],
        facts,
        as_json,
    )


def _facts(prediction: "Trajectories", out: Path) -> dict[str, Any]:
    diverged = prediction.owner[prediction.states.isnan().any(1)].unique()
    first, last = prediction.starts, prediction.starts + prediction.lengths - 1
    return {
        "trajectories": len(prediction),
        "snapshots": len(prediction.t),
        "state_dim": prediction.dim,
        "from": float(prediction.t[first].min()),
        "to": float(prediction.t[last].max()),
        "diverged": len(diverged),
        "out": str(out),
    }
