"""The labelled set: trainings whose bottleneck is known, because it was planted, and what is made of them."""
