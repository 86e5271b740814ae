"""A generator looked at while it learns: samples, curves and scores at every checkpoint.

`train` trains and looks; `sweep` scores the checkpoints of a run, chooses one and confirms it;
`run` is the same by a configuration.
"""

from typing import TYPE_CHECKING

from ecgeval.lazy import attach

if TYPE_CHECKING:
    from ecgeval.sweep.choosing import run, sweep
    from ecgeval.sweep.scoring import Score, Scorer
    from ecgeval.sweep.training import train

__all__ = ["Score", "Scorer", "run", "sweep", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Score": "scoring",
        "Scorer": "scoring",
        "run": "choosing",
        "sweep": "choosing",
        "train": "training",
    },
)
