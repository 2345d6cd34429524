"""Which revision receives which requests, and what the routers say that they do. Pure."""
