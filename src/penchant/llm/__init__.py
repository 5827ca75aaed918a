"""Language models: a client for OpenAI-compatible services, and what is asked of them."""
