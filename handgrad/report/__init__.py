"""What was found, as an object, text and JSON; never a judgement, and nothing that a judgement needs.

report.py is a report as an object and as JSON. text.py is its text: sentence.py says what is wrong, code_lines.py shows
the line and the change, stage_rows.py a stage. ledger.py is a backward pass line by line, as data and as a table;
console.py is where commands print.
"""
