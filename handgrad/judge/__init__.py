"""One trial in, one judgement out: bounds, contracts, the planted error; never the name of a mistake.

judge.py is the road, trial.py what goes in, judgement.py what comes out, rules.py the rules on the way, verdict.py the
three verdicts and their exit codes, note.py what is said beside them, constants.py every chosen number. bound.py
chooses between ball_bound.py (rounding carried along) and noise_bound.py (the noise of the reference, and in
own_noise.py of the code); ladder.py tells how bfloat16 code rounds. promises.py is what must be kept besides,
contracts.py checks it, planted_error.py the control. isolation.py runs anyone's code inside a judgement, and what it
raises is a value.
"""
