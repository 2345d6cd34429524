"""The termination message: what a container tells the operator when it ends.

The kubelet copies at most 4096 bytes of /dev/termination-log into the pod's status; a longer file loses its end,
which for JSON is the same as losing all of it. So the message is shortened here, where its parts are known.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIMIT = 4096  # bytes that the kubelet keeps
PATH_VARIABLE = "LAMPLIGHTER_TERMINATION_LOG"
DEFAULT_PATH = "/dev/termination-log"


def render(reason: str, message: str = "", tail: Sequence[str] = (), **facts: Any) -> str:
    """Return the message as JSON of at most LIMIT bytes of valid UTF-8; facts are numbers, texts or maps of these.

    A message that is too long loses, in this order: the oldest lines of the tail, the end of the message, the ends of
    texts among the facts, whole maps among the facts.
    """
    fields: dict[str, object] = {"reason": reason}
    fields.update({name: _clean(value) if isinstance(value, str) else value for name, value in facts.items()})
    if message:
        fields["message"] = _clean(message)
    kept = [_clean(line) for line in tail]
    while kept:
        if _size({**fields, "tail": kept}) <= LIMIT:
            fields["tail"] = kept
            break
        kept = kept[1:]
    texts = [name for name in ("message", *facts) if isinstance(fields.get(name), str)]
    for name in texts:
        if _size(fields) > LIMIT:
            fields[name] = _shortened(fields, name)
    for name in [name for name, value in facts.items() if isinstance(value, dict)]:
        if _size(fields) > LIMIT:
            del fields[name]
    return _encode(fields)


def write(text: str, environ: Mapping[str, str]) -> None:
    """Put the message where the kubelet looks for it; outside a pod, where there is no such file, do nothing."""
    try:
        Path(environ.get(PATH_VARIABLE) or DEFAULT_PATH).write_text(text, encoding="utf-8")
    except OSError:
        return  # the exit code and the log remain; a container must not fail because it cannot leave a message


def fail(
    environ: Mapping[str, str],
    program: str,
    code: int,
    reason: str,
    sentence: str,
    tail: Sequence[str] = (),
    **facts: Any,
) -> int:
    """Report to the operator and in the log why `program` fails; return `code`, which it should exit with."""
    write(render(reason, sentence, tail, exitCode=code, **facts), environ)
    print(f"{program}: {reason} (exit code {code}): {sentence}", file=sys.stderr, flush=True)
    return code


def _clean(text: str) -> str:
    # A lone surrogate (from undecodable output) has no UTF-8 form.
    return text.encode("utf-8", "replace").decode("utf-8")


def _encode(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _size(fields: Mapping[str, object]) -> int:
    return len(_encode(fields).encode("utf-8"))


def _shortened(fields: Mapping[str, object], name: str) -> str:
    # Bisect on characters: JSON escapes make the size per character uneven but monotonic.
    text = str(fields[name])
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _size({**fields, name: text[:middle] + "…"}) <= LIMIT:
            low = middle
        else:
            high = middle - 1
    return text[:low] + "…"
