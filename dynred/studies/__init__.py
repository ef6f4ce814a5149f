"""Studies: many experiments in one folder, designed, run, resumed, tabled; searches for the best."""
