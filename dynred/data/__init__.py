"""Trajectories, the files and stores that hold them, estimated velocities."""
