"""The only training loop, networks, and shooting."""
