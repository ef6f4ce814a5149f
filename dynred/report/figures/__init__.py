"""A file for every figure of the report."""
