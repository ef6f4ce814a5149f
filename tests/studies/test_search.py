import pytest

from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.studies import schedule
from dynred.studies.search import search
from dynred.training.minimise import TrainingSpec

optuna = pytest.importorskip("optuna")
OVER = {"latent_dim": (1, 2), "dynamics": ["linear", "polynomial"]}


def test_a_search_finds_the_best_and_is_a_study(base, tmp_path):
    study = search(base, OVER, tmp_path / "s", metric="nmse", trials=6)
    assert study.goal.mode == "min"
    assert study.best("nmse", "min").point["latent_dim"] == 2
    assert study.counts() == {"done": len(study)}
    assert 2 <= len(study) <= 4
    stored = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / 's' / 'search.db'}")
    assert len(stored.trials) == 6
    assert stored.best_value == study.table()["nmse"].min()
    page = study.report().read_text()
    assert "Parallel coordinates" in page


def test_an_interrupted_search_continues(base, tmp_path, monkeypatch):
    perform, made = schedule.perform, []

    def interrupted(task):
        made.append(task.digest)
        if len(made) == 3:
            raise KeyboardInterrupt
        return perform(task)

    over = {"threshold": (0.1, 0.9)}
    with monkeypatch.context() as patch:
        patch.setattr(schedule, "perform", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(base, over, tmp_path / "s", metric="nmse", trials=4)
    study = search(base, over, tmp_path / "s", metric="nmse", trials=4)
    assert study.counts() == {"done": 4}
    assert made[2] in {run.folder.name for run in study}
    assert len(search(base, over, tmp_path / "s", metric="nmse", trials=5)) == 5


@pytest.mark.slow
def test_trainings_that_fall_behind_are_given_up(base, tmp_path):
    training = TrainingSpec(steps=40, batch_size=16, validations=40)
    spec = base.updated("dynamics", NeuralODESpec(width=8, depth=1, training=training))
    over = {"dynamics.training.learning_rate": (1e-9, 3e-3, "log"), "dynamics.training.validations": (20, 40)}
    study = search(spec, over, tmp_path / "s", metric="nmse", trials=12, seed=1)
    counts = study.counts()
    assert counts["done"] + counts.get("pruned", 0) == len(study)
    pruned = [run for run in study if run.status == "pruned"]
    assert pruned
    assert all("Given up after" in run.error for run in pruned)
    assert not any((run.folder / "report.html").exists() for run in pruned)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "nmze"}, "metric must be the name of a score, .*Did you mean nmse"),
        ({"over": {"latnt_dim": (1, 2)}}, "row 1 of the study .*Did you mean latent_dim"),
        ({"over": {"latent_dim": (1, 3)}}, "row 2 of the study: latent_dim must be an integer in .1, 2., got 3"),
        ({"over": {}}, "over must be at least one setting with its range, got none"),
        ({"storage": "sqlite:////no/such/folder/x.db"}, "storage must be the URL of a storage of Optuna's"),
        ({"storage": "nonsense"}, "storage must be the URL of a storage of Optuna's"),
        ({"mode": "best"}, "mode must be one of max, min"),
    ],
)
def test_what_is_wrong_with_a_search_is_told_in_a_sentence(base, tmp_path, arguments, message):
    call = {"over": OVER, "metric": "nmse", **arguments}
    with pytest.raises(InputError, match=message) as caught:
        search(base, call.pop("over"), tmp_path / "s", **call)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_a_folder_of_another_goal_is_refused(base, tmp_path):
    search(base, OVER, tmp_path / "s", metric="nmse", trials=1)
    with pytest.raises(InputError, match="which a search of another goal made"):
        search(base, OVER, tmp_path / "s", metric="valid_time.median", trials=1)
