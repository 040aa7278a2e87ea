"""A failing judgement in, the mistake's name and hints out; never a verdict."""
