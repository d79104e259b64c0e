"""Programs that keep the repository in order; nothing of them is installed."""
