"""Generators of synthetic ECGs: Pulse2Pulse and WaveGAN*, their weights, and sampling.

`generate` makes fresh records by seed, `published` regenerates the published DeepFake set by id,
`stream` and `stream_published` do the same in bounded memory, `describe` says what was run. The
networks are in `pulse2pulse` and `wavegan`, their files in `checkpoints`, the noise in `noise`.
torch is imported when something is generated, not before.
"""

from ecgeval.generators.sampling import (
    FS,
    GENERATORS,
    LEADS,
    PUBLISHED_RECORDS,
    SCALE_UV,
    describe,
    generate,
    published,
    stream,
    stream_published,
    synthesize,
)

__all__ = [
    "FS",
    "GENERATORS",
    "LEADS",
    "PUBLISHED_RECORDS",
    "SCALE_UV",
    "describe",
    "generate",
    "published",
    "stream",
    "stream_published",
    "synthesize",
]
