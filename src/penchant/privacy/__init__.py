"""Privacy: users are forgotten with a signed receipt, and what is held of one is told."""
