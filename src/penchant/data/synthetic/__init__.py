"""Generated worlds whose right answer is known."""

from penchant.data.synthetic.world import (
    TARGET,
    World,
    checkerboard,
    genres,
    world,
)

__all__ = ["TARGET", "World", "checkerboard", "genres", "world"]
