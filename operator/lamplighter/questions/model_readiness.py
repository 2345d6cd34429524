"""What a model's pod that runs and is not ready says at lamplighter-serve's ``/ready``: why it is not."""

from lamplighter.deployment.serving.readiness import READINESS
from lamplighter.engine.questions import Reader
from lamplighter.questions.pod_answers import PodAnswers

NAME = READINESS


def reader(answers: PodAnswers, url: str) -> Reader:
    """Asks the pod at ``url``, in which {ip}, {namespace} and {pod} are filled in."""
    return answers.reader(url)
