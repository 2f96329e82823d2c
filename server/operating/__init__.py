"""What an operator asks of an installation: is it sound (`doctor`), and what mends it."""
