"""Estimators of derivatives from samples, one file each."""
