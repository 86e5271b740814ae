"""Do synthetic ECGs leak the patients a generator was trained on? Copies, and exchangeability."""

from ecgeval.privacy.audit import audit_sets
from ecgeval.privacy.evidence import pseudonyms
from ecgeval.privacy.hygiene import split_patients

__all__ = ["audit_sets", "pseudonyms", "split_patients"]
