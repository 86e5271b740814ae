"""Real against synthetic: do the measures agree, by how much not, and is that small enough?"""

from ecgeval.compare.equivalence import Margins, load_margins
from ecgeval.compare.fidelity import compare_measures
from ecgeval.compare.power import planned_power, power_equivalence, power_text
from ecgeval.compare.subgroups import compare_subgroups

__all__ = [
    "Margins",
    "compare_measures",
    "compare_subgroups",
    "load_margins",
    "planned_power",
    "power_equivalence",
    "power_text",
]
