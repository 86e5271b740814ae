"""Copies of training records: how they are looked for, what names one, what was planted."""
