"""Would these pass as the ECGs of people?"""
