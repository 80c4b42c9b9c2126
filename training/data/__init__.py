"""Annotated pictures to a network's input and what it should say of it."""
