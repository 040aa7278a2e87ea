"""Training, predicting and comparing two trainings, with data sets and plots; never a verdict on a gradient."""
