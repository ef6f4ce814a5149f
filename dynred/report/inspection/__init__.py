"""A file for every figure of an inspection."""
