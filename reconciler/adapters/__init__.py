"""One module for each system outside: git, the Kubernetes API, folders, SQLite."""
