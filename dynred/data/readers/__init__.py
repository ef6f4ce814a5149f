"""Readers of data files, one file per kind; `base.py` says what a reader is."""
