"""The model archive: packaging it after a training, fetching and verifying it before it is served."""
