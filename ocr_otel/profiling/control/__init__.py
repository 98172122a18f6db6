"""Asking a running training for a window of the profiler: what it listens on, and how it is found and asked.

A training listens on a Unix domain socket that only its own user may open. Server: `server`, `conversation`; the
command's side: `finding`, `client`; between them: `places` (where sockets lie), `card` (what is left in the run
directory) and `protocol`.
"""
