"""What a page is made of, and nothing of what is said on it: elements, whole pages, pictures, curves, equations.

element.py writes text so that it stays text; page.py has the one file that opens from disk, and the piece of it that a
notebook shows; style.css and page.js are all that stands in it besides, and steps.css and steps.js where steps are
shown one at a time. equations.json is written by
`python -m tests.test_equations` from docs/derivations.md.
"""
