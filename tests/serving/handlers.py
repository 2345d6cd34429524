"""The models that the tests serve: each a handler and the example that it must answer."""

ECHO = """\
import json, os, time
from pathlib import Path

import torch


class Handler:
    def initialize(self, context):
        if Path("/tmp/broken").exists():
            raise RuntimeError("the weights are gone")
        self.warm = 0

    def handle(self, requests, context):
        bodies = [request.get("body", request.get("data")) for request in requests]
        return [{"together": len(bodies), **self.answer(body)} for body in bodies]

    def answer(self, body):
        if not isinstance(body, dict):
            body = json.loads(bytes(body))
        self.warm += 1
        time.sleep(body.get("sleep", 0))
        if body.get("exit"):
            os._exit(3)
        if body.get("raise"):
            raise ValueError(body["raise"])
        return {"pid": os.getpid(), "earlier": self.warm - 1, "threads": torch.get_num_threads(),
                "omp": os.environ["OMP_NUM_THREADS"]}
"""
OPEN = """\
class Handler:
    def initialize(self, context):
        pass

    def handle(self, inputs, context):
        return [sum(each["data"]) for each in inputs]
"""
OPEN_EXAMPLE = '{"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [1, 2]}]}'
BROKEN = """\
class Handler:
    def initialize(self, context):
        raise RuntimeError("no such weights")

    def handle(self, requests, context):
        return []
"""
