"""Reducers, one file each."""
