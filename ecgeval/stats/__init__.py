"""Plain arrays in, plain numbers out; nothing here knows what an ECG is."""
