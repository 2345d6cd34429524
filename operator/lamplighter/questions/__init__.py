"""Answers what a plan asks to read beyond the API's objects: one reader a file, by the name that the plan uses."""
