"""The report."""
from __future__ import annotations
from bowerbird.evaluation.outcome import Evaluation
def report_page(evaluation: Evaluation) -> str:
    """Page."""
    return evaluation.to_json()
