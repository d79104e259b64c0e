"""The commands' names, options and help. Nothing heavy is imported here but inside of a command that runs."""
