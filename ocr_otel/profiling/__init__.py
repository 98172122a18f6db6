"""Windows of `torch.profiler`: when one opens, what is read out of its trace, and what becomes of it."""
