"""Phantom studies: pictures and headers as a scanner writes them, of people who do not exist."""
