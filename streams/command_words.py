"""What the commands share: the option types, and the settings, read when a command runs."""

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
