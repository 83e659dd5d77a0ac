"""`loyalty demo`: a year of real baskets through the real line, and then today."""
