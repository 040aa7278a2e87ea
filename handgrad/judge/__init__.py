"""One trial in, one judgement out: bounds, contracts, the planted error; never the name of a mistake."""
