"""Anyone's forward and backward pass: how it is called, which inputs it gets, what it must keep; never a bound."""
