"""What the machine does beside the batches: GPUs, memory, processes and I/O, read in threads of their own."""
