"""One file per figure of the report."""
