"""Phases and resources in, a verdict with its evidence out: pure functions of plain data."""

from ocr_otel.diagnosis.budget import TimeBudget
from ocr_otel.diagnosis.verdict import Verdict, diagnose

__all__ = ["TimeBudget", "Verdict", "diagnose"]
