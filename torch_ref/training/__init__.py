"""Training on torch's side, with torch's optimizers; the loop itself is manual's."""
