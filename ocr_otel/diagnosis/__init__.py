"""Phases, resources and windows of the profiler in, ranked verdicts with evidence out: pure functions of plain data."""

from ocr_otel.diagnosis.budget import TimeBudget
from ocr_otel.diagnosis.engine import diagnose
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.verdict import Diagnosis, Evidence, Verdict

__all__ = ["Diagnosis", "Evidence", "Observation", "TimeBudget", "Verdict", "diagnose"]
