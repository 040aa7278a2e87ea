"""What `verify_function` needs for code that is not ours: calling it, drawing its inputs, judging what is opaque."""
