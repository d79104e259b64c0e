"""The operator on a real API server, with simulated pods and played engines."""
