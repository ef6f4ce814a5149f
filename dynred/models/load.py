"""Reading model files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynred.arguments import public
from dynred.checks import path_given, positive, shown
from dynred.errors import DynredError, FileFormatError
from dynred.files import read_tensors
from dynred.kinds import class_of
from dynred.models.base import SCHEMA, Model
from dynred.plugins import code_of, is_loaded, load_code, reopen
from dynred.records import revive
from dynred.training.nets import check_weights
from dynred.trust import Code


@public
def load_model(path: str | Path, plugins: Sequence[str | Path] = (), *, trust: bool = False) -> Model:
    """The model that `Model.save` wrote, of the class that wrote it; a run folder stands for its `model.safetensors`.

    Reading never imports a module outside dynred in silence: reducers and dynamics of the user's own must have been
    imported before, used in a run before, or be named here. What a file claims is checked against its content before
    anything is made of it.

    Args:
        path: of the model or the run folder.
        plugins: files of reducers and dynamics that may be imported.
        trust: whether all code that the model names may be imported.

    Raises:
        FileFormatError: missing, truncated, of another kind, of a newer schema, or weights that do not fit.
        InputError: code of the model's own that is gone, was changed, or may not be imported.
    """
    path = path_given("path", path)
    path = path / "model.safetensors" if path.is_dir() else path
    tensors, meta = read_tensors(path)
    cls = _class(meta.get("kind"))
    if cls is None:
        kind = shown(meta.get("kind", "file of unknown kind"))
        raise FileFormatError(f"{path} must hold a reduced model, got a {kind}.")
    schema = meta.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise FileFormatError(
            f"{path} must be of schema {SCHEMA} or older, got {shown(schema)}. Install a newer dynred to read it."
        )
    for plugin in plugins:
        load_code(code_of(str(plugin)))
    for code in Code.listed(meta.get("code", [])):
        if not is_loaded(code):
            load_code(reopen(code, f"the model in {path}", plugins=plugins, trust=trust))
    try:
        model = cls.from_parts(tensors, meta, revive(_About, meta, "its metadata").checked())
        check_weights(model.parts()[0], tensors, "")
        return model
    except Exception as error:
        reason = str(error) if isinstance(error, DynredError) else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"{path} does not describe a model that can be built: {shown(reason.partition(chr(10))[0])}"
        ) from error


@dataclass(frozen=True)
class _About:
    """What every model file says of where its model comes from."""

    about: Mapping[str, Any]

    def checked(self) -> Mapping[str, Any]:
        """What the file says; an entry that is computed with must be a number."""
        if "time_scale" in self.about:
            positive("about.time_scale", self.about["time_scale"])
        return self.about


def _class(kind: object) -> type[Model] | None:
    model_class = class_of(kind) if isinstance(kind, str) else None
    return model_class if model_class is not None and issubclass(model_class, Model) else None
