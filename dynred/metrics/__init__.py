"""Metrics of a forecast and long-time statistics of sets of trajectories, one file each."""
