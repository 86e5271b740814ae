"""`python -m ecgeval.cli`."""

from ecgeval.cli import main

main()
