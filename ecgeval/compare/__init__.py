"""Real against synthetic: do the measures agree, by how much not, and is that small enough?"""

from ecgeval.compare.equivalence import Margins, load_margins
from ecgeval.compare.fidelity import compare_measures

__all__ = ["Margins", "compare_measures", "load_margins"]
