"""DATA directories: their layout, what reads and writes them, datasets from columns in memory."""
