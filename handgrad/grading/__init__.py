"""Exercises with blanks, and their grading: every named quantity judged alone, from right values of all the others.

exercise.py reads an exercise (exercises/ has ours), right.py knows what is right in it. A submission is foreign code:
process.py runs it in a process of its own, which is child/, and only numbers come back. names.py looks for the names
that it may not use. grade.py judges the numbers; hints.py words what is wrong, on the stages of stage.py. text.py and
gradescope.py show the grade, handout.py writes what students get. Nothing of the judge is ever in the child.
"""
