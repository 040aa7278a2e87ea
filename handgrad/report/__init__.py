"""What was found, as an object, text and JSON; never a judgement, and nothing that a judgement needs."""
