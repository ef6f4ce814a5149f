"""What is mended in measured samples before anything is learned from them, one file each."""
