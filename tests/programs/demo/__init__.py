"""The main job of Lamplighter, from nothing to a prediction: `make demo`."""
