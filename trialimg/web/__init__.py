"""The door for people and the viewer."""
