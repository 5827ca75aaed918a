"""What the commands print for a person."""
