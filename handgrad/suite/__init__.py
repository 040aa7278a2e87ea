"""The list of problems that `handgrad verify` judges, and running it; never how a problem is judged."""
