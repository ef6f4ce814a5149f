"""A reducer and latent dynamics, or several in charts, as one object and one file."""
