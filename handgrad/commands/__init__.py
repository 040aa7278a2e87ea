"""One file a command of `handgrad`: its arguments and what it runs."""
