"""What was found, as text and JSON; never a judgement."""
