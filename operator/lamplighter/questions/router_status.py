"""What a router pod says at ``/status``: which configuration it has, and how it sees the pods of each revision."""

from lamplighter.deployment.traffic.envoy.pods import STATUS
from lamplighter.engine.questions import Reader
from lamplighter.questions.pod_answers import PodAnswers

NAME = STATUS


def reader(answers: PodAnswers, url: str) -> Reader:
    """Asks the router pod at ``url``, in which {ip}, {namespace} and {pod} are filled in."""
    return answers.reader(url)
