"""A generator looked at while it learns: samples, curves and scores at every checkpoint.

`train` trains and looks; `sweep` scores the checkpoints of a run, chooses one and confirms it;
`run` is the same by a configuration. `scoring` scores one checkpoint, `findings` says what was
found.
"""

from ecgeval.sweep.choosing import run, sweep
from ecgeval.sweep.scoring import Score, Scorer
from ecgeval.sweep.training import train

__all__ = ["Score", "Scorer", "run", "sweep", "train"]
