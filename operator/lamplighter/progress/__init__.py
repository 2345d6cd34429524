"""Live progress: pods report to this process over HTTP; the index keeps the last report of each training."""
