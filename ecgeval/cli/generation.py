"""Commands of generators: fresh ECGs, and training."""

from __future__ import annotations

from typing import Annotated

import typer

from ecgeval.cli import options
from ecgeval.cli.files import check_store, make_folder
from ecgeval.cli.terminal import progress_bars, say_notes


def generate(
    generator: Annotated[str, typer.Argument(help="pulse2pulse, or a checkpoint file.")],
    out: options.Out,
    n: Annotated[int, typer.Option("-n", min=1, help="How many records.")],
    seed: options.Seed = 0,
    checkpoint: Annotated[str | None, typer.Option(help="Weights to use instead.")] = None,
    leads: options.Leads = None,
    device: options.Device = "cpu",
    force: options.Force = False,
) -> None:
    """Fresh ECGs from a generator, to a store. Record i is the same for any n."""
    from ecgeval import sets

    check_store(out, force)
    with progress_bars() as progress:
        ecgs = sets.generate_store(
            generator,
            n,
            out,
            checkpoint=checkpoint,
            seed=seed,
            leads=options.lead_names(leads),
            device=options.checked_device(device),
            progress=progress,
        )
    print(f"{ecgs!r} written to {out}")


def train(
    generator: Annotated[str, typer.Argument(help="pulse2pulse or wavegan-star.")],
    data: Annotated[str, typer.Option(help="SET to train on.")],
    out: options.Out,
    width: Annotated[int, typer.Option(help="Channels d of the generator, 10, 20, ...")] = 50,
    critic_width: Annotated[int, typer.Option(min=1, help="Channels d of the critic.")] = 50,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training records.")] = 2500,
    batch: Annotated[int, typer.Option(min=1, help="Records a critic step.")] = 32,
    critic_steps: Annotated[int, typer.Option(min=1, help="Critic steps a generator step.")] = 5,
    learning_rate: Annotated[float, typer.Option(help="Of Adam, for both networks.")] = 1e-4,
    ema: Annotated[float, typer.Option(help="Decay of the mean generator; 0 for none.")] = 0.0,
    accumulate: Annotated[int, typer.Option(min=1, help="Parts of a batch, to save memory.")] = 1,
    mixed: Annotated[bool, typer.Option("--mixed", help="Convolutions in bfloat16.")] = False,
    checkpoint_epochs: Annotated[
        int, typer.Option(min=1, help="Epochs between checkpoints that are kept.")
    ] = 25,
    holdout: Annotated[
        float, typer.Option(help="Share of the patients that training never sees.")
    ] = 0.2,
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    seconds: options.Seconds = None,
    assume_independent: options.Independent = False,
    seed: options.Seed = 0,
    score: Annotated[
        str | None,
        typer.Option(
            help="SET of real ECGs to score checkpoints against; --data's own: its "
            "patients held out."
        ),
    ] = None,
    score_records: Annotated[
        int, typer.Option(min=20, help="Records of each checkpoint that are scored.")
    ] = 500,
    jobs: options.Jobs = 1,
    no_cache: options.NoCache = False,
    device: options.Device = "cpu",
) -> None:
    """Train a generator (WGAN-GP); the same command goes on with a run that was stopped."""
    from ecgeval import sets, sweep
    from ecgeval.generators.training import Settings

    settings = Settings(
        generator,
        width,
        critic_width,
        epochs,
        batch,
        critic_steps,
        learning_rate,
        ema=ema,
        accumulate=accumulate,
        mixed=mixed,
        checkpoint_epochs=checkpoint_epochs,
        holdout=holdout,
        seed=seed,
    )
    make_folder(out)
    with progress_bars() as progress:
        ecgs = sets.read(
            data,
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            seed=seed,
            progress=progress,
        )
        say_notes(ecgs)
        path = sweep.train(
            ecgs,
            out,
            settings,
            device=options.checked_device(device),
            assume_independent=assume_independent,
            score=ecgs if score == data else score,
            score_records=score_records,
            jobs=jobs,
            cache=options.cache_folder(no_cache),
            progress=progress,
        )
    print(f"{path}; go on with `ecgeval compare REAL {path} -n 1000 --out DIR`")
