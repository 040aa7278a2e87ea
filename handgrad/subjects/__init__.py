"""What can be judged, turned into trials: networks, functions, training steps, neurons; never a bound of its own."""
