"""A small Hub server and the models it serves, for tests and the demo; runs on the standard library alone."""
