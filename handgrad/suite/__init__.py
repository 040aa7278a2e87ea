"""The list of problems that `handgrad verify` judges, and running it; never how a problem is judged.

problems.py is the list, run.py runs it, trained.py judges a checkpoint, text.py shows what came out.
"""
