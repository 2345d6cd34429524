"""The torchserve image in real containers, as the operator's pods run it."""
