"""The pages, and one file per figure."""
