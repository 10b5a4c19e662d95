"""Training of MAA: FOMM's terms within each domain, and three terms across the domains."""
