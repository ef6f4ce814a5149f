"""Solvers of initial value problems, one file each."""
