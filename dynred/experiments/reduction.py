"""What `reduce` returns: the model, its scores, and what is behind them."""

from dataclasses import dataclass
from pathlib import Path

from dynred.checks import path_given, refuse
from dynred.data.trajectories import Trajectories
from dynred.evaluation.evaluation import Evaluation
from dynred.experiments.folder import RunFolder
from dynred.experiments.origin import versions
from dynred.experiments.publish import certificate
from dynred.experiments.source import Source
from dynred.files import check_target, is_page, write_json
from dynred.models.bands import Calibration
from dynred.models.base import Model
from dynred.models.forecast import Forecast, restored
from dynred.report.model_page import write_report
from dynred.rng import generator
from dynred.views import Displayed


@dataclass(frozen=True, eq=False)
class Reduction(Displayed):
    """Everything that `reduce` made.

    Attributes:
        model: the reduced model.
        evaluation: its scores.
        scored: the predictions that were scored: of transformed states, where the model transforms them.
        train, validation: the trajectories that it was fitted to.
        calibration: calibration of bands around the model's predictions on the validation trajectories; None where
            these do not allow one.
        source: what it was made from.
        seed: what decided every draw.
    """

    model: Model
    evaluation: Evaluation
    scored: Forecast
    train: Trajectories
    validation: Trajectories
    calibration: Calibration | None = None
    source: Source | None = None
    seed: int = 0

    @property
    def forecast(self) -> Forecast:
        """The predictions in the variables of the data."""
        return restored(self.scored, self.model)

    def __str__(self) -> str:
        return str(self.evaluation)

    def _repr_html_(self) -> str:
        return self.evaluation._repr_html_()

    def save(self, folder: str | Path) -> None:
        """Writes model.safetensors, evaluation.json, calibration.json where there is one, and report.html.

        `dynred.load_model(folder)` and `dynred predict` read the folder. `dynred.run` makes a whole run folder, which
        can be gone on with and scored again.

        Raises:
            InputError: nothing may be written there, or one of the files is there and dynred did not write it.
        """
        folder = path_given("folder", folder)
        if RunFolder(folder).holds_run:
            raise refuse("folder", "one without a run", str(folder), "A run keeps its own model.")
        self.model.save(folder / "model.safetensors")
        write_json(folder / "evaluation.json", self.evaluation.to_dict())
        if self.calibration is not None:
            write_json(folder / "calibration.json", self.calibration.to_dict())
        self.report(folder / "report.html")

    def report(self, path: str | Path) -> None:
        """Writes the report as one HTML page, with the certificate where the source is known.

        Raises:
            InputError: nothing may be written there, or a file is there that is no page of dynred's.
        """
        certified = None
        check_target("path", path, is_page)
        if self.source is not None:
            rng = generator(self.seed, "certificate")
            certified = certificate(self.model, self.source, self.scored.core.truth, rng)
        write_report(
            path,
            self.model,
            self.evaluation,
            self.scored,
            grid=None if self.source is None else self.source.grid,
            certificate=certified,
            settings={"spec": self.model.spec.to_dict(), "seed": self.seed, "versions": versions()},
        )
