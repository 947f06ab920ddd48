"""Official Account and Mini Program: one way of speaking, two sets of abilities."""
