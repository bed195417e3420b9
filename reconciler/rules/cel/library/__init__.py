"""The Kubernetes CEL libraries: one noun a module, plain functions over frozen values."""
