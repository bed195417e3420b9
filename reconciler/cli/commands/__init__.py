"""One module a command: `add_arguments(parser)` and `run(args) -> exit code`. Imported only when called."""
