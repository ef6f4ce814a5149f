"""The campaign of faults: what dynred must survive, kind by kind, with counts that `--faults` sets."""
