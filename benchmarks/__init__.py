"""Speed and memory of qagrel beside the same learning rule in other frameworks."""
