"""The model archive: packaged after a training, fetched and verified before it is served."""
