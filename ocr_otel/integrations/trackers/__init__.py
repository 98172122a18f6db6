"""Experiment trackers, told through the Trainer's own loggers; none of their libraries is imported here."""
