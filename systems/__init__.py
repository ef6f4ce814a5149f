"""The catalogue: one file per system, its name the system's."""
