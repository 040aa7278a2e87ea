"""What was found, as an object, text and JSON; never a judgement, and nothing that a judgement needs.

report.py is a report with its text and its JSON, stage_rows.py a stage's lines in it; ledger.py a backward pass line
by line, as data and as a table; console.py is where commands print.
"""
