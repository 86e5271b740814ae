"""Is every record believable, and every kind of record there?"""
