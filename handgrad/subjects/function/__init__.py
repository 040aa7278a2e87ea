"""Anyone's forward and backward pass: how it is called, which inputs it gets, what it must keep; never a bound.

verify.py judges a function: tries.py case after case, case.py at one set of inputs (fillers.py, remainders.py: but not
where nobody means it). arguments.py checks what the user hands in, form.py finds what stands where in a call (nests.py:
in lists and dicts; signatures.py: under which name), prepare.py sorts it, and first_run.py runs it once. calling.py
calls it in one of the ways of ways.py, torch's autograd.Function and modules by through_autograd.py, and returned.py
reads what came; by reference.py beside torch, or by own_forward.py beside its own forward pass (beside_kinks.py: but
not at a kink). outputs.py makes one y of several results, results_alone.py tries each alone, each_result.py reports on
each. inputs.py draws, ordinary and special: kinks.py where the code bends, sizes.py at other sizes; probes.py compares
many of them. side_effects.py asks for the contracts: layouts.py, frozen.py, elsewhere.py, leading_axis.py, spread.py;
of torch code torch_promises.py for those of the room torch_function. rows.py tells what came out, mending.py looks for
the change that makes it right (variants.py, other_numbers.py, labels.py: on other inputs too), memory.py for that of
code that is right and breaks a promise; telling_lines.py names lines that tell by themselves. failures.py tells of code
that raises, failed_operation.py whether that is a mistake. ledger.py keeps the ledger of lines: on the numbers of
ledger_draw.py, with the values of the forward pass and their gradients from adjoints.py, their names from
ledger_names.py; ledger_runs.py replaces values, bookkeeping.py concludes.
"""
