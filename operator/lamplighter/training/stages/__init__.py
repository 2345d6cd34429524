"""The stages of a run and the pods of each. Pure."""
