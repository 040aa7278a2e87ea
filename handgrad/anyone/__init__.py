"""What `verify_function` needs for code that is not ours: calling it, drawing inputs, judging what is opaque to balls."""
