"""Runs beside each other: what changed, and whether the batch time did beyond its noise."""
