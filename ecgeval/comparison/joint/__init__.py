"""Do measures go together alike?"""
