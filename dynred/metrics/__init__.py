"""Metrics of a forecast, one file each."""
