"""What one file says of itself, and how its elements are written."""
