"""The experts and the baselines, behind one protocol."""
