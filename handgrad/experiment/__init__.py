"""Training, predicting, comparing two trainings, with data sets and plots; never a rule of how a gradient is judged."""
