"""Names of what several ranks of one run share: who waits for whom, whose clock is off, which attempt it is."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute, metric, span

_RESOURCE: Final = "Resource, with several ranks."
_COMPARED: Final = "`train_epoch` of rank 0, and its `fit` for the last epoch, where the ranks could be compared."
_STRAGGLES: Final = "`train_epoch` of rank 0, and its `fit` for the last epoch, where one rank holds up the others."

COMMUNICATION: Final = span(
    "communication",
    "From the moment at which this rank's gradients were ready to the moment at which they were averaged over all "
    "ranks: the wait for the ranks that come later, and what of the exchange the backward pass did not hide.",
    "Child of `backward`, with DistributedDataParallel, where gradients are synchronised.",
)

NODE_RANK: Final = attribute("training.node.rank", "int", "Rank of the host among those of the run.", _RESOURCE)
STRATEGY: Final = attribute("training.strategy", "string", "Class of Lightning's strategy.", "Resource.")
ATTEMPT: Final = attribute(
    "training.attempt",
    "int",
    "How often the launcher has started this job before.",
    "Resource, under torchrun (`TORCHELASTIC_RESTART_COUNT`) and SLURM (`SLURM_RESTART_COUNT`).",
)
JOB_ID: Final = attribute(
    "training.job.id",
    "string",
    "The launcher's name of the job, the same in each of its attempts.",
    "Resource, under torchrun (`TORCHELASTIC_RUN_ID`), SLURM (`SLURM_JOB_ID`) and Ray.",
)

RANKS_COMPARED: Final = attribute("training.ranks.compared", "int", "Ranks that were compared.", _COMPARED)
SYNCHRONISATIONS: Final = attribute(
    "training.synchronisations", "int", "Steps at which they were compared.", _COMPARED, "{step}"
)
RANKS_DELAY: Final = attribute(
    "training.ranks.delay",
    "double[]",
    "By rank: how much later it arrives than the median of the others, in three of four steps at least; 0 where it "
    "does not. -1 for a rank that was not compared.",
    f"{_COMPARED} Up to 64 ranks.",
    "s",
)
STRAGGLER_RANK: Final = attribute("training.straggler.rank", "int", "The rank that all others wait for.", _STRAGGLES)
STRAGGLER_RATIO: Final = attribute(
    "training.straggler.ratio", "double", "Share of the steps at which it arrived last.", _STRAGGLES, "1"
)
STRAGGLER_SECONDS: Final = attribute(
    "training.straggler.delay",
    "double",
    "How much later it arrives than the median of the others, in three of four steps at least.",
    _STRAGGLES,
    "s",
)
STRAGGLER_PHASE: Final = attribute(
    "training.straggler.phase", "string", "The phase in which it spends more than the others.", _STRAGGLES
)
STRAGGLER_SUMMARY: Final = attribute("training.straggler.summary", "string", "All that in one sentence.", _STRAGGLES)

CLOCK_OFFSET: Final = attribute(
    "training.clock.offset",
    "double",
    "How far this host's clock is ahead of that of rank 0's host, from the moments at which both left the same "
    "synchronisations; not corrected in any time that is told.",
    "`train_epoch` of ranks on another host than rank 0's.",
    "s",
)
CLOCK_ERROR: Final = attribute(
    "training.clock.offset.error", "double", "Half the interquartile range of it.", "With `training.clock.offset`.", "s"
)
RESTART_REASON: Final = attribute(
    "training.restart.reason",
    "string",
    "How the attempt before this one ended, by what its ranks said.",
    "`fit` of rank 0, in a further attempt of the same job; with a link to the `fit` of the one before.",
)

METRIC_STRAGGLER_DELAY: Final = metric(
    "training.straggler.delay",
    "gauge",
    "s",
    "How much later this rank arrives than the median of the others, in three of four steps at least.",
    "With several ranks, where they could be compared.",
)
METRIC_STRAGGLER_STEPS: Final = metric(
    "training.straggler.steps",
    "counter",
    "{step}",
    "Steps at which this rank arrived last, and the others waited for it.",
    "With several ranks.",
)
