"""JSON logs; each line names the object that it is about."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pythonjsonlogger.orjson import OrjsonFormatter

from lamplighter.engine.queue import Key

_about: ContextVar[Key | None] = ContextVar("about", default=None)


@contextmanager
def about(key: Key) -> Iterator[None]:
    """Log lines inside name this object."""
    token = _about.set(key)
    try:
        yield
    finally:
        _about.reset(token)


class _Identity(logging.Filter):
    """Adds kind, namespace and name of the current object to a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        key = _about.get()
        if key is not None:
            record.kind, record.namespace, record.object = key.kind, key.namespace, key.name
        return True


def configure(level: str) -> None:
    """Send all logs to standard error as JSON lines; those of libraries from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        OrjsonFormatter(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    handler.addFilter(_Identity())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("lamplighter").setLevel(level.upper())
