"""One file a command of `handgrad`: its arguments and its `run`; never mathematics, which stands in the other rooms."""
