"""Which records could not be used, and in which form the sets came."""
