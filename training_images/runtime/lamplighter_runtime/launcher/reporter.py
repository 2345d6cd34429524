"""Reporting progress to the operator: always the latest report; those that are lost are not repeated."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lamplighter_runtime.common.environment import integer

TIMEOUT = 5.0  # seconds that a request may take
LAST_TIMEOUT = 2.0  # seconds that the request at the end of the training may take
LONGEST_PAUSE = 300.0  # seconds between two attempts
OVER = 410  # HTTP status: this attempt has ended, and the operator takes no more reports of it

Report = dict[str, Any]


class Reporter(threading.Thread):
    """Posts the latest report every interval if it is new; waits longer and longer while that fails."""

    def __init__(
        self, environ: Mapping[str, str], latest: Callable[[], Report | None], say: Callable[[str], None]
    ) -> None:
        """Read where to report to; ConfigurationError for a variable that is not a number."""
        super().__init__(daemon=True, name="reporter")
        self._url = environ.get("LAMPLIGHTER_PROGRESS_URL", "")
        self._token_file = environ.get("LAMPLIGHTER_PROGRESS_TOKEN_FILE", "")
        self._interval = float(integer(environ, "LAMPLIGHTER_PROGRESS_INTERVAL_S", 10, minimum=1))
        self._head = {
            "run": integer(environ, "LAMPLIGHTER_RUN", 1),
            "attempt": integer(environ, "LAMPLIGHTER_ATTEMPT", 1),
        }
        self._latest, self._say = latest, say
        self._sequence = time.time_ns()
        self._sent: Report | None = None
        self._pause, self._failed, self._over = self._interval, "", False
        self._ended = threading.Event()
        # Traffic within the cluster does not go through a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def wanted(self) -> bool:
        """Whether the operator wants reports at all."""
        return self._url.startswith(("http://", "https://"))

    def run(self) -> None:
        """Report until close() is called."""
        # The first report does not wait for the interval.
        while self._latest() is None:
            if self._ended.wait(min(1.0, self._interval)):
                return
        while not self._over:
            self._post(TIMEOUT)
            if self._ended.wait(self._pause):
                return

    def close(self) -> None:
        """Send the last report within a few seconds, and end."""
        self._ended.set()
        if not self.is_alive() and self._sent is None and self._latest() is None:
            return
        self.join(timeout=LAST_TIMEOUT)
        if not self._over and not self.is_alive():
            self._post(LAST_TIMEOUT)

    def _post(self, timeout: float) -> None:
        report = self._latest()
        if report is None or report == self._sent:
            return
        self._sequence += 1
        body = json.dumps({**self._head, "sequence": self._sequence, **report}, allow_nan=False).encode()
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
            request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310  (see `wanted`)
            with self._opener.open(request, timeout=timeout):
                self._sent, self._pause, self._failed = report, self._interval, ""
        except urllib.error.HTTPError as error:
            self._refused(error)
        except Exception as error:  # no error of a report may end the training
            self._missed(str(error), None)

    def _token(self) -> str:
        return Path(self._token_file).read_text(encoding="ascii").strip() if self._token_file else ""

    def _refused(self, error: urllib.error.HTTPError) -> None:
        with error:
            if error.code == OVER:
                self._over = True
                self._say("the operator says that this attempt has ended; no further progress will be reported")
                return
            after = error.headers.get("Retry-After", "")
            reason = error.read(200).decode("utf-8", "replace").strip()
        self._missed(f"{error.code} {reason}".strip(), float(after) if after.isdigit() else None)

    def _missed(self, reason: str, pause: float | None) -> None:
        self._pause = min(pause or self._pause * 2, LONGEST_PAUSE)
        if not self._failed:
            self._say(
                f"could not report progress ({reason}); the training is not affected, and the launcher will try again"
            )
        self._failed = reason
