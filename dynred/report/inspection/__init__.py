"""One file per figure of an inspection."""
