"""Can labels be learnt from synthetic records?"""
