"""Container registries, by the OCI distribution specification 1.1 and Docker's registry API 2."""
