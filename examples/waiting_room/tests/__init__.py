"""The waiting room from outside."""
