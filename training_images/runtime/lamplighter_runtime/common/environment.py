"""Reading the LAMPLIGHTER_* variables that the operator sets on a container."""

from collections.abc import Mapping

CONFIGURATION_ERROR = 78  # EX_CONFIG of sysexits.h


class ConfigurationError(Exception):
    """The container's environment is not what the operator sets."""


def required(environ: Mapping[str, str], name: str) -> str:
    """Return the variable's value; an unset or empty one is a ConfigurationError."""
    value = environ.get(name, "")
    if not value:
        raise ConfigurationError(f"{name} is not set; the operator sets it on every container that runs this program")
    return value


def integer(environ: Mapping[str, str], name: str, default: int, minimum: int = 0) -> int:
    """Return the variable as a whole number of at least `minimum`, or `default` where it is unset or empty."""
    text = environ.get(name, "")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise ConfigurationError(f"{name} is {text!r}, which is not a whole number") from None
    if value < minimum:
        raise ConfigurationError(f"{name} is {value}, which is less than {minimum}")
    return value
