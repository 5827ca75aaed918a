"""The transition expert: a closed-form regression of the next event on the history."""
