"""Text Generation Inference: what is known of it, and how it is told."""
