"""Reading, cleaning, splitting and generating data."""
