"""Does the agreement hold within subgroups?"""
