"""Arrays in, arrays out: modes, polynomials, Jacobians, latent spaces."""
