"""The callback for each package of Lightning, and what binds recording, diagnosis and the terminal card together."""
