"""What happened: scores, certificates, comparisons, long-time behaviour."""
