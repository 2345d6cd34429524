"""The stages of a run, their order, and the pods of each. Pure."""
