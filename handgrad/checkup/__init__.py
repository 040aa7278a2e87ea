"""What a network is examined for before it is trained for long, and the report: `handgrad doctor`.

measure.py measures a network where it stands, runs.py makes two short trainings, numbers.py has all that comes of it;
checks.py says what is normal and what to do, checkup.py is the report; picture.py, page.py and text.py show it. No
gradient is judged here.
"""
