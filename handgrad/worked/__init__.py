"""Worked examples: a small network with every number of one forward and backward pass, and the formula of each.

example.py is the network with its sample, from a lecture (lectures.py) or a file (files.py). quantities.py has the
formula of every number, values.py its value and how many digits of it are known, digits.py how many are shown. What is
written from that: text.py, latex.py, and page.py with picture.py; key.py is what a teacher grades answers by.

Nothing here computes a gradient: `manual` does. Nothing here judges one.
"""
