"""The files of keys, which of them are in use, how they are replaced, and what is wrong with them."""
