"""What `handgrad verify` judges: every layer, activation and loss on real digits; never how it is judged."""
