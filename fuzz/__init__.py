"""Any bytes: mutated inputs against every surface that takes bytes from elsewhere."""
