"""A fleet of up to thousands of ranks, simulated, against the real servers of `collector-config/fleet/`."""
