"""What items are, as rows of numbers: text, images, audio and columns."""
