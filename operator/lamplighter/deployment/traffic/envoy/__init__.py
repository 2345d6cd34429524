"""The router of a deployment: Envoy pods, their configuration, and what they answer. Pure."""
