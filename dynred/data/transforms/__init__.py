"""Transforms of the data before a model is fitted, one file per kind; `base.py` says what a transform is."""
