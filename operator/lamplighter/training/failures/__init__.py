"""Why pods fail, and how often an attempt may be repeated. Pure."""
