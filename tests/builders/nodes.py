"""Nodes, and what can become of them."""

from typing import Self

from tests.builders.objects import Builder


class Node(Builder):
    """A Node."""

    def ready(self) -> Self:
        """It answers."""
        return self.status(conditions=[]).condition("Ready")

    def silent(self, since: float = 0.0) -> Self:
        """It has not answered since so many seconds after NOW."""
        message = "Kubelet stopped posting node status."
        return self.status(conditions=[]).condition("Ready", status="Unknown", since=since, message=message)

    def broken(self, kind: str = "GPUUnhealthy", message: str = "Xid 79: GPU has fallen off the bus") -> Self:
        """It answers, and has a condition that means broken hardware."""
        return self.ready().condition(kind, message=message)


def a_node(name: str = "node-1") -> Node:
    """A Node that answers."""
    node = Node("v1", "Node", name)
    del node._obj["metadata"]["namespace"]
    return node.ready()
