"""What a language model adds where one is configured; without one, all is said in plain words.

Each feature takes a ``LanguageModel`` or None; a model that fails leaves the plain words and a
note.
"""
