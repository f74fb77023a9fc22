"""What the demo trial is filled with: made-up people and made-up pictures."""
