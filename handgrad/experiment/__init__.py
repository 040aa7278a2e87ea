"""Training, predicting, comparing two trainings, with data sets and plots; never a rule of how a gradient is judged.

compare_pass.py lays one pass by hand beside autograd's, compare_training.py two whole runs, and
compare_training_text.py shows those; autograd_training.py is the second run. plan.py, backends.py, log.py and text.py
are `handgrad train`, distributed.py its several processes, prediction.py is `handgrad predict`.
"""
