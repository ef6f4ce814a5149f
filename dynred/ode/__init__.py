"""Systems: an ODE, what is known about it, and where it is found."""
