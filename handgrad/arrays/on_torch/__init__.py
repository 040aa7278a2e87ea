"""NumPy code run on torch tensors, so that autograd sees it; nothing here judges anything.

array.py is the array, methods.py what it has as NumPy's have; rules.py lists the operations (elementwise.py, sums.py,
parts.py, filters.py, writing.py), torch_numpy.py gives the rest. stand_in.py says what `np` means, copies.py makes the
copy of a function in which it means that.
"""
