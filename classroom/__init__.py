"""Checks, hints and the gradschool command."""
