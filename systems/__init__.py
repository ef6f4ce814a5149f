"""The catalogue of systems: one file for each, which has the name of the system."""
