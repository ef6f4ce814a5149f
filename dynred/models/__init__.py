"""A reducer and latent dynamics as one object and one file; atlases, bands."""
