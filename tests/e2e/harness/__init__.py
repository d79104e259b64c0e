"""What do the end-to-end tests and the demo stand on? A platform, a namespace of it, and what is asked of both."""
