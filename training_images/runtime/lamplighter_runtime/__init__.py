"""What runs inside Lamplighter's pods; `run` is what training scripts import."""
