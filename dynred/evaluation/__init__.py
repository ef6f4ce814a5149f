"""What happened: scores, certificates, comparisons, long-time statistics and Lyapunov exponents."""
