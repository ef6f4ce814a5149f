"""Trajectories, the files and stores that hold them, and estimates of their velocities."""
