"""Lamplighter: a Kubernetes operator that takes PyTorch models from data to dependable predictions."""

__version__ = "0.1.0"
