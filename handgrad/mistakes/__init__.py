"""The catalogue of mistakes, and the diagnosis that names one only where every entry agrees."""
