"""What kind of stage failed, read off its values; never a mistake."""
