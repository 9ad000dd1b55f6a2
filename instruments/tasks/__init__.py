"""Tasks: what people are asked to do, the forms that they fill in, and the folder in which both wait for each other."""
