"""The lectures' systems and their mistakes in print, run and shown; never a rule of how anything is judged.

lecture.py runs a script's systems and mistakes, text.py shows them.
"""
