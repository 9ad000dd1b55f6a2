"""The command line: one file per noun; what is heavy is imported inside the command that needs it."""
