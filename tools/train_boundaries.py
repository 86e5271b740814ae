"""Train the network of `ecgeval.delineation.boundaries` and write its weights.

Data: LUDB 1.0.1 (PhysioNet, ODC-BY 1.0), 12 leads marked by cardiologists, and simulated beats
whose marks are exact. Nothing else: no record that the engine is later judged on.

    python tools/train_boundaries.py --records 1-100 --out ecgeval/delineation/boundaries.npz
    python tools/train_boundaries.py --records 1-100 --fold 0 --out fold0.npz   # leave 20 out

`--fold k` leaves out the k-th fifth of the records (a fixed permutation; one record a patient), so
that the engine with those weights can be judged on them: `--check` prints that benchmark.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ecgeval.delineation import benchmark, boundaries, engine
from ecgeval.delineation.averaging import AFTER, BEFORE, gather
from ecgeval.delineation.boundaries import COLUMNS, RANGES, TOKEN, TOKENS
from ecgeval.delineation.rpeaks import RATE, align, band, find
from ecgeval.io import ludb_annotations, read

WIDTH, TAPS = 24, 5
LEADS = 8  # leads drawn a sample: the network must not depend on how many there are
SAMPLES = BEFORE + AFTER
MARGIN = 40  # samples around a beat, for stretching it
BLUR_MS = np.array([6.0, 6, 6, 4, 4, 12, 8, 12])  # target SD of real marks: annotators differ
BLUR_EXACT_MS = 2.0
T = np.arange(SAMPLES) - float(BEFORE)  # samples from R


@dataclass
class Record:
    """Annotated beats of one record: `beats` (b, 12, wide), `marks` (b, 12, 9) from R, samples."""

    beats: np.ndarray
    marks: np.ndarray
    dominant: np.ndarray
    has_p: bool


class Net(nn.Module):
    """The network of `ecgeval.delineation.boundaries.network`, with gradients."""

    def __init__(self) -> None:
        super().__init__()
        marks = len(COLUMNS)
        self.first = nn.Conv1d(TOKEN + 1, WIDTH, 3, padding=1)
        self.conv = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, TAPS, padding=TAPS // 2) for _ in range(3)
        )
        self.mix = nn.ModuleList(nn.Linear(2 * WIDTH, WIDTH) for _ in range(2))
        self.head = nn.Conv1d(WIDTH, marks * TOKEN, 1)
        self.present = nn.Linear(4 * WIDTH, 2)

    def forward(self, x: torch.Tensor, live: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        m, leads, _ = x.shape
        place = ((torch.arange(TOKENS) - 12.5) / 12.5).expand(m * leads, 1, TOKENS)
        tokens = x.reshape(m * leads, TOKENS, TOKEN).transpose(1, 2)
        h = torch.relu(self.first(torch.cat([tokens, place], 1)))
        h = torch.relu(self.conv[0](h)) + h
        for conv, mix in zip(self.conv[1:], self.mix, strict=True):
            h = self._share(h, live, mix)
            h = torch.relu(conv(h)) + h
        logits = self.head(h).reshape(m, leads, len(COLUMNS), TOKEN, TOKENS).transpose(3, 4)
        mean, _ = self._pool(h, live)
        before, after = mean[..., :14], mean[..., 13:]
        pooled = [before.mean(2), before.amax(2), after.mean(2), after.amax(2)]
        return logits.reshape(m, leads, len(COLUMNS), -1), self.present(torch.cat(pooled, 1))

    @staticmethod
    def _pool(h: torch.Tensor, live: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        m, leads = live.shape
        x = h.reshape(m, leads, -1, TOKENS) * live[:, :, None, None]
        return x.sum(1) / live.sum(1)[:, None, None], x.amax(1)

    def _share(self, h: torch.Tensor, live: torch.Tensor, mix: nn.Module) -> torch.Tensor:
        m, leads = live.shape
        both = torch.cat(self._pool(h, live), 1).transpose(1, 2)
        added = mix(both).transpose(1, 2)[:, None]
        return torch.relu(h.reshape(m, leads, -1, TOKENS) + added).reshape(h.shape)


def load(names: str) -> tuple[list[Record], np.ndarray, tuple[str, ...], list]:
    """Return the annotated beats of LUDB records, their signals, leads and annotations."""
    ecgs = read(names)
    signals = np.asarray(ecgs.signals[:], np.float32)
    references = [ludb_annotations(name) for name in ecgs.ids]
    records = []
    for k, reference in enumerate(references):
        filtered = band(signals[k : k + 1], ecgs.fs)
        beats = align(filtered, *find(filtered))
        time, ok = beats.time[0], beats.valid[0]
        dominant = ok & engine._dominant(beats)[0]
        marks = benchmark.as_beats(reference, ecgs.leads, ecgs.fs).astype(float)
        marks[marks < 0] = np.nan
        at = marks * filtered.ratio + filtered.left
        peaks = np.nanmedian(at[:, :, 4], axis=0)
        pairs = np.stack(benchmark.match(peaks, np.where(ok, time, np.inf), 0.15 * RATE), 1)
        wide = [gather(filtered.wave[0], time[j : j + 1])[0] for _, j in pairs]
        middle = np.round(time[pairs[:, 1]])
        records.append(
            Record(
                np.stack(wide),
                at[:, pairs[:, 0]].transpose(1, 0, 2) - middle[:, None, None],
                dominant[pairs[:, 1]],
                bool(np.isfinite(marks[:, :, 1]).any()),
            )
        )
    return records, signals, ecgs.leads, references


def draw(record: Record, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return an average of some of a record's beats, stretched, with its marks."""
    leads = rng.choice(len(record.marks[0]), LEADS, replace=False)
    pool = (
        np.flatnonzero(record.dominant) if record.dominant.any() else np.arange(len(record.beats))
    )
    if rng.random() < 0.1:
        chosen = rng.integers(len(record.beats), size=1)
    else:
        chosen = rng.choice(pool, rng.integers(1, len(pool) + 1), replace=False)
    beat = record.beats[chosen].mean(0)[leads]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # unmarked waves stay NaN
        marks = np.nanmedian(record.marks[chosen], axis=0)[leads]

    shift = rng.normal(0, 3)
    qrs, before, after = np.exp(rng.normal(0, 0.1, 3))
    if rng.random() < 0.15:
        qrs /= rng.uniform(1.2, 1.7)  # bundle branch blocks are rare in the data

    def source(t: np.ndarray) -> np.ndarray:
        """Time in the beat drawn from that is shown at time t."""
        return (
            np.clip(t, -35, 35) * qrs
            + np.minimum(t + 35, 0) * before
            + np.maximum(t - 35, 0) * after
        )

    at = np.clip(source(T) + shift + BEFORE + MARGIN, 0, beat.shape[1] - 2)
    low = at.astype(int)
    beat = beat[:, low] * (1 - (at - low)) + beat[:, low + 1] * (at - low)
    grid = np.arange(-300, 421.0)
    marks = np.interp(marks - shift, source(grid), grid)
    present = [float(record.has_p), 1.0]
    for wave, share in ((0, 0.15), (1, 0.08)):  # take the P or the T wave away
        on, off = (0, 2) if wave == 0 else (6, 8)
        if rng.random() < share and np.isfinite(marks[:, [on, off, 3]]).all():
            for lead in range(LEADS):
                a = int(np.clip(marks[lead, on] - rng.integers(3, 12) + BEFORE, 1, SAMPLES - 3))
                b = int(
                    np.clip(marks[lead, off] + rng.integers(3, 12) + BEFORE, a + 1, SAMPLES - 1)
                )
                if wave == 0:
                    b = min(b, int(np.clip(marks[lead, 3] + BEFORE - 2, a + 1, SAMPLES - 1)))
                beat[lead, a:b] = np.linspace(beat[lead, a], beat[lead, b], b - a)
            marks[:, on : off + 1] = np.nan
            present[wave] = 0.0
    return beat, marks, present


def simulate(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return a beat with exact marks: arcs for P and T, straight lines for the QRS."""
    has_p, has_t = rng.random() > 0.2, rng.random() > 0.1
    r_at = rng.normal(0, 4)
    t = T - r_at
    q_on, q_off = -rng.uniform(12, 35), rng.uniform(15, 50) * (1 if rng.random() < 0.75 else 1.5)
    p_dur = rng.uniform(35, 65)
    p_on = q_on - max(rng.uniform(60, 110), p_dur + 12)
    t_on = q_off + rng.uniform(20, 70)
    t_off = t_on + rng.uniform(60, 120)
    rr = max(rng.uniform(220, 600), t_off + q_on - p_on + 25)
    skew, corners = rng.uniform(0.9, 1.6), rng.integers(1, 4)
    two_t, two_p = rng.random() < 0.15, rng.random() < 0.15
    beat, marks = np.zeros((LEADS, SAMPLES)), np.full((LEADS, 9), np.nan)

    def arc(x: np.ndarray, two: bool, power: float = 1.0) -> np.ndarray:
        return np.sin((2 if two else 1) * np.pi * np.clip(x, 0, 1) ** power)

    for lead in range(LEADS):
        jitter = rng.normal(0, 2, 6)
        on, off = q_on + jitter[0], q_off + jitter[1]
        po, pf = p_on + jitter[2], p_on + p_dur + jitter[3]
        to, tf = t_on + jitter[4], t_off + jitter[5]
        level = rng.normal(0, 0.05) * (rng.random() < 0.5)
        at = np.sort([0.0, *rng.uniform(on + 5, off - 5, corners)])
        height = rng.normal(0, 0.5, corners + 1)
        height[at == 0] = rng.choice([-1, 1]) * rng.uniform(0.3, 2)
        p = rng.choice([-1, 1], p=[0.2, 0.8]) * rng.uniform(0.03, 0.25) * has_p
        tt = rng.choice([-1, 1], p=[0.3, 0.7]) * rng.uniform(0.05, 0.6) * has_t
        for o in (-rr, 0, rr):
            qrs = np.interp(t - o, [on, *at, off], [0, *height, level], left=0, right=0)
            st = np.where(t - o >= off, level * np.clip(1 - (t - o - off) / (tf - off), 0, 1), 0)
            beat[lead] += qrs + st + p * arc((t - o - po) / (pf - po), two_p)
            beat[lead] += tt * arc((t - o - to) / (tf - to), two_t, skew)
        p_peak = np.nan if two_p else (po + pf) / 2
        t_peak = np.nan if two_t else to + (tf - to) * 0.5 ** (1 / skew)
        marks[lead] = [po, p_peak, pf, on, 0, off, to, t_peak, tf]
    if not has_p:
        marks[:, :3] = np.nan
    if not has_t:
        marks[:, 6:] = np.nan
    return beat, marks + r_at, [float(has_p), float(has_t)]


def texture(rng: np.random.Generator) -> np.ndarray:
    """Return 600 stretches of band-limited noise of unit SD, (600, 1200)."""
    spectrum = np.fft.rfft(rng.normal(size=(600, 1200)))
    f = np.fft.rfftfreq(1200, 1 / RATE)
    bands = np.array([(1, 40), (5, 100), (10, 60), (15, 45)])[rng.integers(4, size=600)]
    inside = (f > bands[:, :1]) & (f < bands[:, 1:])
    noise = np.fft.irfft(spectrum * inside / np.maximum(f, 1) ** rng.uniform(0, 1, (600, 1)), 1200)
    return noise / noise.std(-1, keepdims=True)


def disturb(beat, present, noise, quiet, rng) -> tuple[np.ndarray, np.ndarray]:
    """Add what real recordings add; return the beat and which of its leads are used."""
    if present[0] == 0 and rng.random() < 0.6:  # fibrillatory waves, partly averaged out
        rate = rng.uniform(4, 9) / RATE * (1 + 0.0003 * T * rng.normal())
        phase = rng.normal(0, 0.7, (LEADS, 1)) + rng.uniform(0, 6.3)
        size = rng.uniform(0, 0.05) * rng.normal(0, 1, (LEADS, 1))
        beat = beat + size * np.sin(2 * np.pi * rate * T + phase)
    if not quiet and rng.random() < 0.7:
        start = rng.integers(noise.shape[1] - SAMPLES)
        size = rng.uniform(0, 0.03) * np.array([0.3, 1, 1.5])[rng.integers(3, size=(LEADS, 1))]
        beat = beat + size * noise[rng.integers(len(noise), size=LEADS), start : start + SAMPLES]
    if rng.random() < 0.5:
        beat = beat + rng.normal(0, 0.03, (LEADS, 1)) * T / 300
    if rng.random() < 0.3:
        k = int(rng.integers(2, 8))
        total = np.cumsum(np.pad(beat, ((0, 0), (k - k // 2, k // 2)), mode="edge"), axis=1)
        beat = (total[:, k:] - total[:, :-k]) / k
    beat = beat * np.exp(rng.normal(0, 0.4, (LEADS, 1)))
    beat = beat * np.where(rng.random((LEADS, 1)) < 0.15, -1, 1)
    live = np.ones(LEADS)
    if rng.random() < 0.4:
        live[:] = 0
        live[rng.choice(LEADS, rng.integers(1, LEADS), replace=False)] = 1
    return beat, live


def targets(marks: np.ndarray, exact: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return target distributions (m, leads, 8, bins) and which of them count."""
    step = (marks[..., COLUMNS] + BEFORE - 0.5) / 2  # a bin is two samples
    spread = np.where(exact[:, None], BLUR_EXACT_MS, BLUR_MS) / 4
    bins = np.arange(TOKENS * TOKEN)
    z = (bins - np.nan_to_num(step)[..., None]) / spread[:, None, :, None]
    density = np.exp(-0.5 * z**2) * np.isfinite(allowed().numpy())
    total = density.sum(-1, keepdims=True)
    counts = np.isfinite(step) & (total[..., 0] > 0.3)
    return torch.tensor(density / np.maximum(total, 1e-6)).float(), torch.tensor(counts).float()


def allowed() -> torch.Tensor:
    """Return 0 where a mark may lie and minus infinity elsewhere, (8, bins)."""
    out = torch.full((len(COLUMNS), TOKENS * TOKEN), -torch.inf)
    for k, (low, high) in enumerate(RANGES):
        out[k, low * TOKEN : high * TOKEN] = 0
    return out


def train(records: list[Record], steps: int, seed: int, batch: int = 32) -> dict[str, np.ndarray]:
    """Return the averaged weights after `steps` steps, as `boundaries.network` reads them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    noise = texture(rng)
    net = Net()
    mean = {k: v.clone() for k, v in net.state_dict().items()}
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 3e-3, total_steps=steps, pct_start=0.1
    )
    mask, total = allowed(), 0.0
    mask = torch.where(torch.isinf(mask), torch.tensor(-1e4), mask)
    for step in range(1, steps + 1):
        rows = []
        for k in rng.choice(len(records), batch):
            exact = rng.random() < 0.2
            beat, marks, present = simulate(rng) if exact else draw(records[k], rng)
            beat, live = disturb(beat, present, noise, exact and rng.random() < 0.5, rng)
            rows.append((beat, marks, present, live, exact))
        beats, marks, present, live, exact = (np.array(x) for x in zip(*rows, strict=True))
        wanted, counts = targets(marks, exact)
        live = torch.tensor(live).float()
        logits, there = net(torch.tensor(boundaries.prepare(beats.astype(np.float32))), live)
        entropy = -(wanted * torch.log_softmax(logits + mask, -1)).sum(-1)
        counts = counts * live[:, :, None]
        loss = (entropy * counts).sum() / counts.sum()
        loss = loss + 0.3 * nn.functional.binary_cross_entropy_with_logits(
            there, torch.tensor(present).float()
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for name, value in net.state_dict().items():
                mean[name].mul_(0.995).add_(value, alpha=0.005)
        total += loss.item()
        if step % 100 == 0:
            print(f"step {step}: loss {total / 100:.4f}", flush=True)
            total = 0.0
    return export({k: v.numpy() for k, v in mean.items()})


def export(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights under the names and in the layout of `boundaries.network`."""
    out: dict[str, np.ndarray] = {}
    names = {"first": "in"} | {f"conv.{k}": f"conv{k}" for k in range(3)}
    for theirs, ours in names.items():
        out[f"{ours}_w"] = np.ascontiguousarray(state[f"{theirs}.weight"].transpose(2, 1, 0))
        out[f"{ours}_b"] = state[f"{theirs}.bias"]
    names = {"mix.0": "mix0", "mix.1": "mix1", "head": "head", "present": "present"}
    for theirs, ours in names.items():
        weight = state[f"{theirs}.weight"]
        out[f"{ours}_w"] = np.ascontiguousarray(weight.reshape(len(weight), -1).T)
        out[f"{ours}_b"] = state[f"{theirs}.bias"]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", default="1-100", help="LUDB record numbers")
    parser.add_argument(
        "--fold", type=int, choices=range(5), help="fifth of the records to leave out"
    )
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", required=True, help="weights file (.npz)")
    parser.add_argument("--check", action="store_true", help="judge on the records left out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    records, signals, leads, references = load(f"ludb:{args.records}")
    left_out = np.zeros(len(records), bool)
    if args.fold is not None:
        order = np.random.default_rng(1).permutation(len(records))
        left_out[np.array_split(order, 5)[args.fold]] = True
    kept = [r for r, out in zip(records, left_out, strict=True) if not out]
    weights = train(kept, args.steps, args.seed)
    np.savez(args.out, **weights)
    if args.check:
        boundaries._weights = lambda: weights
        rows = np.flatnonzero(left_out)
        result = benchmark.evaluate(
            engine.delineate(signals[rows], RATE, leads), [references[i] for i in rows]
        )
        print(result.marks.round(1), result.intervals.round(1), sep="\n")


if __name__ == "__main__":
    main()
