"""What can be wrong with a question about sizes?

SizingError    the question itself makes no sense; the command line and the API say so to the user
"""


class SizingError(ValueError):
    """A count below one, a share outside of 0 to 1: its text is a sentence for whoever asked."""
