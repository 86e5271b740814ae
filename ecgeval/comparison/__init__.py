"""Real against synthetic ECGs, a folder a section.

`pair` is what every section is given, `sections` the list of them in the order of the report.
"""
