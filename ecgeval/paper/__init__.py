"""The evaluation of Thambawita et al., Sci Rep 2021;11:21896, for anybody's generator.

`paper` makes every table and figure as `Results`; `write_paper` writes them for a manuscript.
"""

from typing import TYPE_CHECKING

from ecgeval.lazy import attach

if TYPE_CHECKING:
    from ecgeval.paper.arms import GENERATED, REAL
    from ecgeval.paper.article import read_article, template
    from ecgeval.paper.study import QUICK_N, RECORDS, paper
    from ecgeval.paper.write import ARTICLE, shown, write_paper

__all__ = [
    "ARTICLE",
    "GENERATED",
    "QUICK_N",
    "REAL",
    "RECORDS",
    "paper",
    "read_article",
    "shown",
    "template",
    "write_paper",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "ARTICLE": "write",
        "GENERATED": "arms",
        "QUICK_N": "study",
        "REAL": "arms",
        "RECORDS": "study",
        "paper": "study",
        "read_article": "article",
        "shown": "write",
        "template": "article",
        "write_paper": "write",
    },
)
