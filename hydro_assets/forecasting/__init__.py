"""Forecasters behind one contract, and the self-contained package that is registered and served."""
