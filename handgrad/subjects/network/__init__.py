"""A network of manual with its loss: its run, its chain, every way to its gradient; never a bound of one stage."""
