"""The main job in one call, and in a run folder."""
