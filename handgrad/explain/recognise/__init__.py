"""What kind of stage failed, read off its values, with the parts that its formulas need; never a mistake."""
