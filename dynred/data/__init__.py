"""Trajectories, the files and stores that hold them, and velocities where data have none."""
