"""The only training loop, networks, and the shooting that refines vector fields."""
