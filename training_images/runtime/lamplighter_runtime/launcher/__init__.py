"""The launcher: it starts torchrun, watches the ranks, and reports their progress and their end to the operator."""
