"""What a child does that reading a file must not do: run programs or code, speak to the network, look elsewhere."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib

from dynred.errors import DynredError

PROGRAMS = ("os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "os.startfile", "subprocess.", "pty.spawn")
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "urllib.", "ftplib.", "smtplib.", "webbrowser.")
CODE = ("pickle.find_class",)
SYSTEM = ("/proc", "/sys", "/usr", "/lib", "/lib64", "/etc/localtime", "/dev/null", "/dev/urandom", "/dev/shm")
PYTHON = [sys.prefix, sys.base_prefix, *filter(None, sys.path)]


def watched(own: Iterable[Path], actions: Mapping[str, Callable[[], Any]]) -> dict[str, str]:
    """Runs actions and gives what was wrong with each: an error that is not dynred's, or a forbidden event.

    For children only: the audit hook stays.

    Args:
        own: folders in which files may be opened, besides those of Python and its packages.
        actions: by name.
    """
    allowed = [Path(path).resolve() for path in [*own, *PYTHON, *SYSTEM, matplotlib.get_cachedir()]]
    events: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith((*PROGRAMS, *NETWORK, *CODE)) or (event == "open" and _elsewhere(arguments[0], allowed)):
            events.append(f"{event} {str(arguments)[:100]}")

    sys.addaudithook(hook)
    wrong = {}
    for name, action in actions.items():
        events.clear()
        said = _error(action)
        if said or events:
            wrong[name] = "; ".join([said, *events])
    return wrong


def _error(action: Callable[[], Any]) -> str:
    try:
        action()
    except DynredError:
        return ""
    except SystemExit as stop:
        return "" if stop.code in (None, 0, 2) else f"exit {stop.code}"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


def _elsewhere(path: Any, allowed: list[Path]) -> bool:
    if not isinstance(path, str | bytes | Path):  # a file that is open already
        return False
    place = Path(path.decode() if isinstance(path, bytes) else path).resolve()
    ours = any(part.startswith((".dynred-", "dynred-")) for part in place.parts)  # what is written before it is moved
    # A folder that is opened is looked for or probed; none of its files is read by that.
    return not ours and not place.is_dir() and not any(place.is_relative_to(folder) for folder in allowed)
