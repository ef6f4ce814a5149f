"""The pages, and a file for every figure."""
