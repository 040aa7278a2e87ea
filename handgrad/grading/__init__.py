"""Exercises with blanks, and their grading: every named quantity judged alone, from right values of all the others.

exercise.py reads an exercise (exercises/ has ours), right.py knows what is right in it. A submission is foreign code:
process.py runs it in a process of its own, which is child/, and only numbers come back. names.py looks for the names
that it may not use, questions.py says what it is asked and given. grade.py judges the numbers, one row.py for each
quantity; hints.py words what is wrong: stage.py asks the catalogue of mistakes, shapes.py names a wrong shape,
overwritten.py the line that overwrites an argument, change.py looks for the change. text.py and gradescope.py show the
grade, handout.py writes what students get, notebook.py is called by its tests. Nothing of the judge is ever in the
child.
"""
