"""What the site is made with: pages from results, charts, equations, docstrings."""
