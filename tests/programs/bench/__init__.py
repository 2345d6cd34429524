"""The benchmark: what the operator costs and how fast it is, on a real API server with fake nodes (`make bench`)."""
