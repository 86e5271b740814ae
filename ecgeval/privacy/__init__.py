"""Do synthetic ECGs leak the patients a generator was trained on?"""

from typing import TYPE_CHECKING

from ecgeval.lazy import attach

if TYPE_CHECKING:
    from ecgeval.privacy.audit import audit_sets
    from ecgeval.privacy.canaries import audit_canaries, canary_results, choose_canaries
    from ecgeval.privacy.evidence import pseudonyms
    from ecgeval.privacy.hygiene import split_patients

__all__ = [
    "audit_canaries",
    "audit_sets",
    "canary_results",
    "choose_canaries",
    "pseudonyms",
    "split_patients",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "audit_canaries": "canaries",
        "audit_sets": "audit",
        "canary_results": "canaries",
        "choose_canaries": "canaries",
        "pseudonyms": "evidence",
        "split_patients": "hygiene",
    },
)
