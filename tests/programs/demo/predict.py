"""Sends the held-out images of the digits sample to a served model: predict.py URL. Runs in the cluster.

Prints one JSON object: how many were asked, how many answered, how many right. Imports the sample's own split, so that
no image is one that the training has seen.
"""

import json
import sys
import time
import urllib.request

from train import split, tensors


def ask(url: str, image: list[float]) -> int:
    """The digit that the served model sees in an image (64 grey levels)."""
    body = json.dumps({"instances": [image]}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["predictions"][0]


def main(url: str) -> None:
    """Ask for every held-out image, one request each."""
    images, labels = tensors(split()[1])
    begin = time.monotonic()
    answers = [ask(url, image) for image in images.tolist()]
    took = time.monotonic() - begin
    right = sum(answer == label for answer, label in zip(answers, labels.tolist(), strict=True))
    result = {"asked": len(answers), "right": right, "accuracy": right / len(answers), "seconds": round(took, 2)}
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
