"""Metrics of forecasts and long-time statistics, one file each."""
