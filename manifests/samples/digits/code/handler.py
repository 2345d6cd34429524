"""Answers TorchServe's requests with the digits that the network sees.

A request is {"instances": [[64 grey levels, 0 to 16], ...]}, or one such list; the answer is {"predictions": [7, ...]}.
"""

import json
from pathlib import Path

import torch
from model import DigitsNet

PIXELS = 64


def images(body: object) -> torch.Tensor:
    """Return the request's images, shape (n, 64); ValueError with a sentence for the client otherwise."""
    if isinstance(body, bytes | bytearray):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise ValueError(f"the request is not JSON: {error}") from error
    rows = body.get("instances") if isinstance(body, dict) else body
    if not isinstance(rows, list) or not rows:
        raise ValueError('send {"instances": [[64 numbers], ...]}, or one list of 64 numbers')
    rows = rows if isinstance(rows[0], list) else [rows]
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != PIXELS:
            raise ValueError(f"instances[{index}] must be a list of {PIXELS} numbers")
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in row):
            raise ValueError(f"instances[{index}] holds something that is not a number")
    return torch.tensor(rows, dtype=torch.float32)


class DigitsHandler:
    """What TorchServe calls: once to load, then for each batch of requests."""

    def initialize(self, context) -> None:
        """Load the weights; `weights_only` because a pickle from a volume must not run code."""
        folder = Path(context.system_properties["model_dir"])
        weights = folder / context.manifest["model"]["serializedFile"]
        self.model = DigitsNet()
        self.model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.model.eval()

    def handle(self, requests, context) -> list:
        """Answer each request of the batch; a bad one gets status 400 and does not spoil its neighbours."""
        return [self.answer(request, index, context) for index, request in enumerate(requests)]

    def answer(self, request: dict, index: int, context) -> dict:
        """Answer one request."""
        try:
            pixels = images(request.get("body", request.get("data")))
        except ValueError as error:
            context.set_response_status(400, "Bad Request", index)
            return {"error": str(error)}
        with torch.no_grad():
            return {"predictions": self.model(pixels).argmax(dim=1).tolist()}
