"""A steady load on a served model, from inside the cluster."""
