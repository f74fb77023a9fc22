"""What a file says, and the engine that cleans it."""
