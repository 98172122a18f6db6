"""The baseline guard: what a training must not be slower or larger than, in a file that is committed."""
