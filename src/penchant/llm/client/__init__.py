"""Language models behind one protocol: what they are asked, what comes back, what it cost.

Nothing here is imported before a model is asked for, and everything that uses one goes on in plain
words without it.
"""

from penchant.llm.client.base import LanguageModel, Prompt, Usage

__all__ = ["LanguageModel", "Prompt", "Usage"]
