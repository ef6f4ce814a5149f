"""Before training: can k coordinates carry K? Dimension, homology, reach and the verdict."""
