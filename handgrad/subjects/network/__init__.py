"""A network of manual with its loss: its run, its chain, every way to its gradient; never a bound of one stage.

verify.py judges a network and says in which order, judged_stages.py each stage by itself; mending.py looks for the
change that makes a wrong one right, tried on few_numbers.py; special_values.py draws what a run seldom has;
network_run.py is its pass by hand, stages.py its stages one by one, chain.py the rounding of the whole pass and the
random directions, end_to_end.py what these two say of a run (Tests B and C), entry_points.py whether `gradients` and
its like give the same bits.
"""
