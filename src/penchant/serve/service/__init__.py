"""What the service does with a request, whichever door it came through."""
