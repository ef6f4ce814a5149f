"""The main job in one call, and in run folders."""
