"""``python -m penchant.cli``."""

from penchant.cli import main

main()
