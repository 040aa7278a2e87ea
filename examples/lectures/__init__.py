"""The five lectures, and two hand-worked examples, each a script to run and to read beside the slides."""
