"""A libnvidia-ml whose GPUs are lines of a file, for the real nvidia-ml-py."""
