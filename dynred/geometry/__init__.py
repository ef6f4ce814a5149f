"""Can k coordinates carry K? Dimension, topology and reach of a sample, and the verdict that follows from them."""
