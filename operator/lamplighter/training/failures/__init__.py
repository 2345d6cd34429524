"""Why pods end, and how often a run may start again. Pure."""
