"""What is decided of an attribute and its value, and what is looked for afterwards, whichever way carries it out."""
