"""What do users write, and what does the operator answer? The shapes, and nothing else."""
