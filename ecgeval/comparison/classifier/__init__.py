"""Can a classifier tell the waveforms apart?"""
