"""What the standards say, as data and as form: attributes, objects, registered UIDs, encodings, words."""
