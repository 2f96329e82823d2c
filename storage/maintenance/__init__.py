"""What an operator does to a database as a whole: look it over, back it up, restore it, move it to another kind."""
