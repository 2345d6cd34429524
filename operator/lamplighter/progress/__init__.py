"""Live progress: pods report to this process over HTTP; the last report of each training goes into the index."""
