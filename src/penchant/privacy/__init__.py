"""Learning about people without seeing them: ``federated`` trains where the events are (Flower)."""
