"""Latent dynamics, one file each."""
