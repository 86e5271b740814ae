"""Training of a generator: WGAN-GP, patients held out, and a run that survives being killed.

Every random number of a step is drawn from a stream named by the seed and the step, never from a
state that goes on, so a run that is killed and resumed is the run that was not.
"""

from __future__ import annotations

import csv
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecgeval.ecgset import EcgSet, resample
from ecgeval.errors import DataError, UsageError
from ecgeval.generators.checkpoints import ARCHITECTURES
from ecgeval.generators.critic import SHUFFLE, Critic
from ecgeval.generators.layers import Generator
from ecgeval.generators.sampling import FS, LEADS, SAMPLES, SCALE_UV
from ecgeval.parallel import Progress, child_rng, quiet

__all__ = ["History", "Settings", "split_patients", "train", "training_array", "training_record"]

LAST = "last.pt"
MANIFEST = "training.json"
HISTORY = "history.csv"

_SAVE_S = 300.0  # a kill loses at most so much
_HIGHEST = 6.0  # mV of an output of 1; tanh can give no more
_TYPICAL_MV = (0.1, 8.0)  # of the median peak-to-peak of a lead: outside it the unit is wrong

History = dict[str, float]
"""Means of an epoch: ``epoch``, ``step``, ``critic_loss``, ``distance`` (the critic's estimate of
the Wasserstein distance), ``penalty``, ``generator_loss``, ``seconds``."""


@dataclass(frozen=True)
class Settings:
    """What decides a training run, besides its data.

    Parameters
    ----------
    architecture : {"pulse2pulse", "wavegan-star"}
    width : int
        Channels d of the generator, a multiple of 10; 50 as published.
    critic_width : int
        Channels d of the critic; 50 as published.
    epochs : int
        Passes over the training records; the published checkpoint is of epoch 2500.
    batch : int
        Records of a critic step.
    critic_steps : int
        Critic steps a generator step.
    learning_rate, beta1, beta2 : float
        Of Adam, for both networks.
    penalty : float
        Weight of the gradient penalty.
    ema : float
        Decay of the running mean of the generator's parameters a generator step; 0 keeps none.
    accumulate : int
        Parts in which a batch goes through the networks, to save memory. The batch, and so the
        result, stays the same but for rounding.
    mixed : bool
        Compute the critic's convolutions in bfloat16; the generator's stay in single precision.
    checkpoint_epochs : int
        Epochs between checkpoints that are kept.
    holdout : float
        Share of the patients that training never sees.
    seed : int

    References
    ----------
    Gulrajani et al. 2017, arXiv:1704.00028 (gradient penalty); Thambawita et al. 2021,
    doi:10.1038/s41598-021-01295-2 (settings).
    """

    architecture: str = "pulse2pulse"
    width: int = 50
    critic_width: int = 50
    epochs: int = 2500
    batch: int = 32
    critic_steps: int = 5
    learning_rate: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9
    penalty: float = 10.0
    ema: float = 0.0
    accumulate: int = 1
    mixed: bool = False
    checkpoint_epochs: int = 25
    holdout: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, good, expected in (
            ("architecture", self.architecture in ARCHITECTURES, " or ".join(ARCHITECTURES)),
            ("width", self.width > 0 and self.width % 10 == 0, "10, 20, 30, ..."),
            ("critic_width", self.critic_width > 0, "1 or more"),
            ("epochs", self.epochs > 0, "1 or more"),
            ("batch", self.batch > 0, "1 or more"),
            ("critic_steps", self.critic_steps > 0, "1 or more"),
            ("learning_rate", 0 < self.learning_rate < math.inf, "a positive number"),
            ("beta1", 0 <= self.beta1 < 1, "0 up to, not including, 1"),
            ("beta2", 0 <= self.beta2 < 1, "0 up to, not including, 1"),
            ("penalty", 0 <= self.penalty < math.inf, "0 or more"),
            ("ema", 0 <= self.ema < 1, "0 up to, not including, 1"),
            ("accumulate", 0 < self.accumulate <= self.batch, "1 up to the batch"),
            ("checkpoint_epochs", self.checkpoint_epochs > 0, "1 or more"),
            ("holdout", 0 <= self.holdout < 1, "0 up to, not including, 1"),
            ("seed", self.seed >= 0, "0 or more"),
        ):
            if not good:
                raise UsageError(f"{name} is {getattr(self, name)!r}; expected {expected}")


def training_array(ecgs: EcgSet) -> np.ndarray:
    """Return the records as a network reads them: eight leads, 500 Hz, 10 s, 1 for 6 mV.

    Parameters
    ----------
    ecgs : EcgSet
        mV; longer records lose their end.

    Returns
    -------
    ndarray of float32, shape (n, 8, 5000)

    Raises
    ------
    DataError
        If records are too short, not finite, flat, or in another unit than mV.
    """
    x = ecgs.with_leads(LEADS)
    if x.seconds < SAMPLES / FS - 1e-6:
        raise DataError(
            f"the training records last {x.seconds:g} s; expected at least {SAMPLES / FS:g} s"
        )
    signals = np.asarray(x.signals[:], np.float32)
    if x.fs != FS:
        signals = resample(signals, x.fs, FS)
    signals = signals[:, :, :SAMPLES]
    finite = np.isfinite(signals).all(axis=(1, 2))
    if not finite.all():
        raise DataError(
            f"{int((~finite).sum())} training records hold values that are no number; first: "
            f"{x.ids[int(np.argmin(finite))]}; leave them out"
        )
    span = np.ptp(signals, axis=2)
    typical = float(np.median(span))
    low, high = _TYPICAL_MV
    if not low <= typical <= high:
        unit = "µV" if typical > high else "no ECG in mV"
        raise DataError(
            f"the training set has a typical peak-to-peak of {typical:.3g} mV, which looks like "
            f"{unit}; expected {low:g} to {high:g} mV: declare the unit"
        )
    beyond = (np.abs(signals).max(axis=(1, 2)) > _HIGHEST).sum()
    if beyond > 0.01 * len(signals):
        raise DataError(
            f"{int(beyond)} of {len(signals)} training records go beyond ±{_HIGHEST:g} mV, which "
            "no generator can reach (its output is a tanh, 1 for 6 mV); leave them out, or check "
            "the unit"
        )
    return np.clip(signals / (SCALE_UV / 1000), -1, 1)


def split_patients(
    ecgs: EcgSet, share: float, seed: int, *, assume_independent: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows held out; no patient is on both sides.

    Raises
    ------
    UsageError
        If patients are unknown, or a side would be empty.
    """
    patients = np.asarray(ecgs.patients(assume_independent=assume_independent))
    who = np.unique(patients)
    out = round(share * len(who))
    if share and not 0 < out < len(who):
        raise UsageError(
            f"a holdout of {share:g} of {len(who)} patients leaves one side empty; use more "
            "patients or another share (0 holds nobody out, and then nobody to audit with)"
        )
    chosen = child_rng(seed, "training", "holdout").permutation(who)[:out]
    held = np.isin(patients, chosen)
    return np.flatnonzero(~held), np.flatnonzero(held)


def training_record(
    ecgs: EcgSet, settings: Settings, *, assume_independent: bool = False
) -> dict[str, Any]:
    """Return what decides a run, as its checkpoints tell it.

    Returns
    -------
    dict
        ``settings``, ``data`` (fingerprint and number of records), ``split`` (ids of ``train`` and
        ``holdout``) and ``versions``.
    """
    rows, held = split_patients(
        ecgs, settings.holdout, settings.seed, assume_independent=assume_independent
    )
    ids = np.asarray(ecgs.ids)
    return {
        "settings": asdict(settings),
        "data": {"fingerprint": ecgs.fingerprint(), "records": len(ecgs)},
        "split": {"train": ids[rows].tolist(), "holdout": ids[held].tolist()},
        "versions": {name: metadata.version(name) for name in ("ecgeval", "torch", "numpy")},
    }


def train(
    ecgs: EcgSet,
    out: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    device: str = "cpu",
    assume_independent: bool = False,
    after: Callable[[Path, History], None] | None = None,
    progress: Progress = quiet,
) -> Path:
    """Train a generator, or go on with a run that was stopped.

    Parameters
    ----------
    ecgs : EcgSet
        Records of patients; `Settings.holdout` of the patients are kept out.
    out : path
        Folder of the run. ``last.pt`` holds all that is needed to go on, ``epoch-NNNNN.pt`` the
        generator (and its running mean) every `Settings.checkpoint_epochs`, ``training.json`` the
        settings, versions, data fingerprint and split, ``history.csv`` a row an epoch.
    settings : Settings, optional
    device : str
        ``cpu`` or ``cuda``. On the CPU, with the same number of threads, a resumed run equals the
        uninterrupted one bit for bit; on CUDA to rounding.
    assume_independent : bool
        Count records without a patient id as patients of their own.
    after : callable, optional
        Called with each kept checkpoint and the epoch's `History`; where a run goes on, first with
        the newest that is there, for the run may have been stopped before or during that call.
    progress : callable
        Called as ``progress("train", epoch, epochs)``.

    Returns
    -------
    Path
        The last kept checkpoint.

    Raises
    ------
    UsageError
        If the folder holds a run of other settings or data, or too few batches an epoch are left.
    DataError
        If the records cannot be trained on, or a loss is no number.

    References
    ----------
    Gulrajani et al. 2017, arXiv:1704.00028
    """
    settings = settings or Settings()
    folder = Path(out)
    rows, _ = split_patients(
        ecgs, settings.holdout, settings.seed, assume_independent=assume_independent
    )
    batches = len(rows) // settings.batch
    if batches < settings.critic_steps:
        raise UsageError(
            f"{len(rows)} training records make {batches} batches of {settings.batch} an epoch, "
            f"fewer than the {settings.critic_steps} critic steps of one generator step; use a "
            "smaller batch, fewer critic steps or more records"
        )
    data = training_array(ecgs.select(rows))
    manifest = training_record(ecgs, settings, assume_independent=assume_independent)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(settings, data, torch.device(device))
    resumed = (folder / LAST).exists()
    if resumed:
        run.resume(folder, manifest)
        _write(folder / HISTORY, run.csv().encode())  # may be older than last.pt
    else:
        if (folder / MANIFEST).exists():  # stopped before anything was kept to go on from
            _same_run(folder / MANIFEST, _read_json(folder / MANIFEST), manifest)
        _write(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    newest = _kept(folder, run.epoch)
    if run.epoch >= settings.epochs and not newest.exists():
        run.save(newest, manifest, whole=False)
    if resumed and after is not None:
        kept = [h for h in run.history if _kept(folder, h["epoch"]).exists()]
        if kept:
            after(_kept(folder, kept[-1]["epoch"]), kept[-1])
    saved = time.monotonic()
    progress("train", run.epoch, settings.epochs)
    while run.epoch < settings.epochs:
        history = run.one_epoch(batches)
        keep = run.epoch % settings.checkpoint_epochs == 0 or run.epoch == settings.epochs
        if keep:
            newest = _kept(folder, run.epoch)
            run.save(newest, manifest, whole=False)
        if keep or time.monotonic() - saved > _SAVE_S:
            run.save(folder / LAST, manifest, whole=True)
            _write(folder / HISTORY, run.csv().encode())
            saved = time.monotonic()
        if keep and after is not None:
            after(newest, history)
        progress("train", run.epoch, settings.epochs)
    return newest


class _Run:
    """The networks, their optimisers, and how far they are."""

    def __init__(self, settings: Settings, data: np.ndarray, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.data = _near(torch.from_numpy(data), device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator: Generator = ARCHITECTURES[settings.architecture](settings.width)
            self.critic = Critic(settings.critic_width)
        self.generator.to(device).train()
        self.critic.to(device).train()
        if device.type == "cuda":
            self.critic.lay_for_products()
            torch.backends.cuda.matmul.allow_tf32 = True  # as cuDNN does for convolutions
        adam: dict[str, Any] = {
            "lr": settings.learning_rate,
            "betas": (settings.beta1, settings.beta2),
            **_adam(device),
        }
        self.by = {
            "generator": torch.optim.Adam(self.generator.parameters(), **adam),
            "critic": torch.optim.Adam(self.critic.parameters(), **adam),
        }
        self.mean = {k: v.detach().clone() for k, v in self.generator.state_dict().items()}
        self._update_critic: _Update = self._train_critic
        self._update_generator: _Update = self._train_generator
        if device.type == "cuda":
            self._update_critic = _Recorded(self._train_critic)
            self._update_generator = _Recorded(self._train_generator)
        self.epoch = self.step = 0
        self.history: list[History] = []

    def one_epoch(self, batches: int) -> History:
        """Pass over the training records once."""
        s, begun = self.settings, time.monotonic()
        order = child_rng(s.seed, "training", "order", self.epoch).permutation(len(self.data))
        sums: dict[str, list[Tensor]] = {
            k: [] for k in ("critic_loss", "distance", "penalty", "generator_loss")
        }
        for k in range(batches):
            rows = torch.from_numpy(np.sort(order[k * s.batch : (k + 1) * s.batch]))
            real = self.data[rows.to(self.data.device)].to(self.device)
            self.step += 1
            rng = child_rng(s.seed, "training", "step", self.step)
            for name, value in self._critic_step(real, rng).items():
                sums[name].append(value)
            if self.step % s.critic_steps == 0:
                sums["generator_loss"].append(self._generator_step(rng))
        self.epoch += 1
        # Read once an epoch: to read a number is to wait for the device.
        means = {k: float(torch.stack(v).mean()) if v else math.nan for k, v in sums.items()}
        bad = [k for k, v in means.items() if sums[k] and not math.isfinite(v)]
        if bad:
            raise DataError(
                f"the {bad[0].replace('_', ' ')} is no number in epoch {self.epoch}; the last good "
                "state is kept in last.pt: lower the learning rate, or look for odd records"
            )
        self.history.append(
            {"epoch": self.epoch, "step": self.step, **means, "seconds": time.monotonic() - begun}
        )
        return self.history[-1]

    def _critic_step(self, real: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw what a critic step needs, and make it."""
        n = len(real)
        noise, mix = self._tensor(self._noise(n, rng)), self._tensor(rng.random((n, 1, 1), "f4"))
        shifts = torch.stack([self._shifts(n, rng) for _ in range(3)])
        return self._update_critic(real=real, noise=noise, mix=mix, shifts=shifts)

    def _generator_step(self, rng: np.random.Generator) -> Tensor:
        """Draw what a generator step needs, and make it."""
        n = self.settings.batch
        noise, shifts = self._tensor(self._noise(n, rng)), self._shifts(n, rng)
        return self._update_generator(noise=noise, shifts=shifts)["generator_loss"]

    def _train_critic(
        self, real: Tensor, noise: Tensor, mix: Tensor, shifts: Tensor
    ) -> dict[str, Tensor]:
        s, n = self.settings, len(real)
        total = {
            k: torch.zeros((), device=self.device) for k in ("critic_loss", "distance", "penalty")
        }
        self.by["critic"].zero_grad(set_to_none=True)
        for part in _parts(n, s.accumulate):
            x, a, own = real[part], mix[part], shifts[:, :, part]
            with torch.no_grad():
                fake = self.generator(noise[part])
            between = (a * x + (1 - a) * fake).requires_grad_()
            with self._autocast():
                scores = self.critic(torch.cat([x, fake]), torch.cat([own[0], own[1]], 1))
                score = self.critic(between, own[2]).sum()
            distance = scores[: len(x)].mean() - scores[len(x) :].mean()
            (slope,) = torch.autograd.grad(score, between, create_graph=True)
            penalty = ((slope.float().flatten(1).norm(dim=1) - 1) ** 2).mean()
            loss = s.penalty * penalty - distance
            (loss * (len(x) / n)).backward()
            for name, value in zip(total, (loss, distance, penalty), strict=True):
                total[name] += value.detach() * (len(x) / n)
        self.by["critic"].step()
        return total

    def _train_generator(self, noise: Tensor, shifts: Tensor) -> dict[str, Tensor]:
        s, total = self.settings, torch.zeros((), device=self.device)
        self.by["generator"].zero_grad(set_to_none=True)
        self.critic.requires_grad_(False)
        for part in _parts(s.batch, s.accumulate):
            fake = self.generator(noise[part])
            with self._autocast():
                loss = -self.critic(fake, shifts[:, part]).mean()
            (loss * (len(fake) / s.batch)).backward()
            total += loss.detach() * (len(fake) / s.batch)
        self.critic.requires_grad_(True)
        self.by["generator"].step()
        if s.ema:
            with torch.no_grad():
                for name, value in self.generator.state_dict().items():
                    self.mean[name].lerp_(value, 1 - s.ema)
        return {"generator_loss": total}

    def _noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.random((n, *self.generator.noise_shape), np.float32) * 2 - 1

    def _shifts(self, n: int, rng: np.random.Generator) -> Tensor:
        return self._tensor(rng.integers(-SHUFFLE, SHUFFLE + 1, (len(self.critic.convs) - 1, n)))

    def _tensor(self, x: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(x)).to(self.device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.settings.mixed, cache_enabled=False
        )

    # ---- files ---------------------------------------------------------------------------------

    def save(self, path: Path, manifest: dict[str, Any], *, whole: bool) -> None:
        """Write a checkpoint; a reader finds the old file or the new one, never a part."""
        content: dict[str, Any] = {"netG_state_dict": _on_cpu(self.generator)}
        if self.settings.ema:
            content["ema_state_dict"] = {k: v.cpu() for k, v in self.mean.items()}
        content |= {"epoch": self.epoch, "step": self.step, "training": manifest}
        if whole:
            content |= {
                "netD_state_dict": _on_cpu(self.critic),
                "optimizers": {name: o.state_dict() for name, o in self.by.items()},
                "history": self.history,
            }
        partial = path.with_suffix(".partial")
        torch.save(content, partial)
        _settle(partial, path)

    def resume(self, folder: Path, manifest: dict[str, Any]) -> None:
        path = folder / LAST
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if not isinstance(state, dict) or not {"netD_state_dict", "optimizers"} <= set(state):
                raise ValueError("no critic and optimisers in it")
        except Exception as error:
            why = error if isinstance(error, ValueError) else "torch cannot read it"
            raise DataError(
                f"{path} is damaged or no checkpoint of a training run ({why}); move it away to "
                "start anew"
            ) from error
        _same_run(path, state.get("training", {}), manifest)
        self.generator.load_state_dict(state["netG_state_dict"])
        self.critic.load_state_dict(state["netD_state_dict"])
        for name, optimizer in self.by.items():
            optimizer.load_state_dict(state["optimizers"][name])
            for group in optimizer.param_groups:
                group.update(_adam(self.device))  # the run may have begun on another device
        if self.settings.ema:
            self.mean = {k: v.to(self.device) for k, v in state["ema_state_dict"].items()}
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]

    def csv(self) -> str:
        """Return the history as CSV."""
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        return text.getvalue()


_Update = Callable[..., dict[str, Tensor]]


class _Recorded:
    """A step on CUDA: made as written at first, then recorded and replayed as one graph.

    A step is 800 small kernels, and to start them one by one takes longer than to run them.
    """

    FIRST = 3  # steps before libraries have settled what they need

    def __init__(self, function: _Update) -> None:
        self.function, self.made = function, 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        if self.made < self.FIRST:
            self.made += 1
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                out = self.function(**inputs)
            torch.cuda.current_stream().wait_stream(side)
            return out
        if self.graph is None:
            self.inputs = {name: x.clone() for name, x in inputs.items()}
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.outputs = self.function(**self.inputs)
        for name, x in inputs.items():
            self.inputs[name].copy_(x)
        self.graph.replay()
        return {name: x.clone() for name, x in self.outputs.items()}


def _kept(folder: Path, epoch: float) -> Path:
    return folder / f"epoch-{int(epoch):05d}.pt"


def _adam(device: torch.device) -> dict[str, bool]:
    """Return how Adam computes on a device: on CUDA as one kernel that can be recorded."""
    return dict.fromkeys(("fused", "capturable"), device.type == "cuda")


def _parts(n: int, parts: int) -> list[slice]:
    """Return `parts` slices of n, their sizes equal or one apart, larger ones first."""
    ends = np.cumsum([len(p) for p in np.array_split(np.arange(n), parts)]).tolist()
    return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]


def _near(data: Tensor, device: torch.device) -> Tensor:
    """Return the data on the device where they leave most of its memory free."""
    if device.type != "cuda":
        return data
    free, _ = torch.cuda.mem_get_info(device)
    return data.to(device) if data.nbytes < free / 3 else data


def _on_cpu(module: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu() for k, v in module.state_dict().items()}


def _same_run(path: Path, kept: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on with other settings than the run began with; more epochs are no others."""
    other = [
        f.name
        for f in fields(Settings)
        if f.name != "epochs" and kept.get("settings", {}).get(f.name) != now["settings"][f.name]
    ]
    if kept.get("data") != now["data"]:
        other.append("data")
    if other:
        raise UsageError(
            f"{path} is of a run with other {', '.join(other)}; choose another folder, or the same "
            "settings and data"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{path} is damaged: no JSON of a training run; move it away to start anew")
    return found


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(content)
    _settle(partial, path)


def _settle(partial: Path, path: Path) -> None:
    """Put a finished file in its place, on the disk before the name points to it."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
