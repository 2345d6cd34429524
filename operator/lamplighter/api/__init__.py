"""What users write and read: the pydantic models of both kinds, and the generator of ``crds/``."""

GROUP = "lamplighter.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
