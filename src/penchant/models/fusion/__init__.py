"""The fusion: a log-linear mixture of the experts."""
