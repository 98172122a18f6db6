"""Lightning's life told to the recorder: hooks, the profiler seam, dataloader workers.

Nothing is imported here: dataloader workers that are spawned import `training.worker` and must stay light.
"""
