"""The order of things: read, harmonise, delineate, measure, compare, audit. Cached, resumable."""
