"""The report of a farm: one page to read without a server. Frames in, pictures and HTML out; nothing is read here."""
