"""Do the synthetic ECGs measure like the real ones?"""
