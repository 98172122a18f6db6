"""What `torchrun` does, with ranks that are forked: an elastic agent that starts a script, and starts it again.

`torchrun` itself starts each rank by a new Python; all else is the same agent.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys

from torch.distributed import PrefixStore
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def rank(*argv: str) -> None:
    """One rank."""
    rendezvous = sys.modules["torch.distributed.rendezvous"]
    connect = rendezvous._create_c10d_store
    # PyTorch 2.15 lets an attempt find the addresses of the one before, where ranks then wait for gloo in vain.
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
    rendezvous._create_c10d_store = lambda *args: PrefixStore(f"/worker/attempt_{attempt}", connect(*args))
    sys.argv = list(argv)
    runpy.run_path(argv[0], run_name="__main__")


def main() -> None:
    """Start the ranks of one agent and wait for them."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--min-nodes", type=int, default=1)
    parser.add_argument("--max-nodes", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--max-restarts", type=int, default=0)
    parser.add_argument("--endpoint", default="localhost:0")
    parser.add_argument("--job", default="job")
    parser.add_argument("--last-call", type=int, default=30, help="seconds for more nodes than the least to join")
    options, argv = parser.parse_known_args()
    config = LaunchConfig(
        min_nodes=options.min_nodes,
        max_nodes=options.max_nodes,
        nproc_per_node=options.ranks,
        run_id=options.job,
        rdzv_backend="c10d",
        rdzv_endpoint=options.endpoint,
        rdzv_configs={"last_call_timeout": options.last_call},
        max_restarts=options.max_restarts,
        monitor_interval=0.2,
        start_method="fork",
    )
    elastic_launch(config, rank)(*argv)


if __name__ == "__main__":
    main()
