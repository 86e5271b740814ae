"""What a generator's checkpoint says of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError

__all__ = ["check_holdout_unseen"]


def check_holdout_unseen(
    checkpoints: Iterable[str], train: EcgSet, holdout: EcgSet | None, notify: Callable[[str], None]
) -> None:
    """Refuse a holdout that a checkpoint was trained on, as its own training record says.

    Ids are those of the training data only where the training sets share some.

    Raises
    ------
    DataError
    """
    from ecgeval.generators.checkpoints import trained_on

    for path in dict.fromkeys(checkpoints):
        split = trained_on(path).get("split") or {}
        seen, held = (set(map(str, split.get(name, ()))) for name in ("train", "holdout"))
        if not seen & set(train.ids):
            continue
        known = [i for i in ([] if holdout is None else holdout.ids) if i in seen]
        if holdout is not None and known:
            raise DataError(
                f"{path} was trained on {len(known)} of the {len(holdout)} holdout records, "
                f"such as {known[0]}, as its own training record says; expected patients it "
                "never saw. `ecgeval run` with the checkpoint's folder as synth takes those "
                "that training held out"
            )
        if unseen := sum(i in held for i in train.ids):
            notify(
                f"{path} held {unseen} of the {len(train)} training records out and never saw "
                "them: name those it was trained on, or the audit is blunter than it could be."
            )
