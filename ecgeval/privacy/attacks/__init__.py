"""Attacks on a synthetic set: membership, identity, criteria, indicators."""
