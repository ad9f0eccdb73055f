"""What the commands share: the option types, the settings, read when a command runs, and what the program is called."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from streams.settings import Settings

Format = Literal["canonical", "national"]
Json = Annotated[bool, Parameter(name="--json", help="Print machine-readable JSON on stdout.")]


def settings() -> "Settings":
    """Where the engine is: environment, config/settings.toml, or a running `up`."""
    from streams.settings import load_settings

    return load_settings()


def called_as() -> str:
    """`xinmai` as whoever reads can type it: bare where the PATH finds this one, else as it was called."""
    called = sys.argv[0]
    found = shutil.which("xinmai")
    if Path(called).name != "xinmai" or (found and Path(found).resolve() == Path(called).resolve()):
        return "xinmai"
    return called
