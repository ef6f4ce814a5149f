"""From a system to trajectories on its attracting set."""
