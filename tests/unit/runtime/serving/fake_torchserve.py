"""Stands in for TorchServe's Java frontend: same ports' meaning, same answers, same log lines, no model.

The environment says how it behaves: FAKE_PORTS (inference, management, metrics), FAKE_MODE (good, broken, wrong, exit).
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ["FAKE_MODE"]
INFERENCE, MANAGEMENT, METRICS = (int(port) for port in os.environ["FAKE_PORTS"].split(","))
received = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/metrics":
            self.answer(200, f'ts_inference_requests_total{{model_name="digits",}} {received}.0\n'.encode())
        else:
            status = "UNLOADING" if MODE == "broken" else "READY"
            self.answer(200, json.dumps([{"workers": [{"id": "9000", "status": status}]}]).encode())

    def do_POST(self) -> None:
        global received
        received += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print("[W-9000-digits_1.0-stdout] Backend received inference at: 1795261871", flush=True)
        if body == b"slow":
            time.sleep(1)
        status = 503 if MODE == "wrong" else 200
        self.answer(status, b'{"predictions": [7]}')
        print(f'[access] /127.0.0.1:1 "POST {self.path} HTTP/1.1" {status} 3', flush=True)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def fail_to_load() -> None:
    while True:
        for line in (
            "Traceback (most recent call last):",
            '  File "handler.py", line 1, in initialize',
            "ValueError: boom",
        ):
            print(f"[W-9000-digits_1.0-stdout] {line}", flush=True)
        print(
            "2026 [WARN ] [W-9000-digits_1.0] BatchAggregator - Load model failed: digits, error: Worker died.",
            flush=True,
        )
        time.sleep(0.2)


signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
if MODE == "exit":
    print("Invalid configuration: no such thing", flush=True)
    sys.exit(3)
for port in (INFERENCE, MANAGEMENT, METRICS):
    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever).start()
if MODE == "broken":
    fail_to_load()
