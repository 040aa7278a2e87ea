"""What runs in the process of a submission: the submission itself and what hands numbers to it; never a verdict.

Only NumPy is imported here. wire.py writes and reads numbers, isolate.py puts right values in the place of what the
submission computed before, locked.py takes away what an exercise does not need, system_calls.py what the kernel can
refuse; precise.py looks for complex steps, run.py answers the questions.
"""
