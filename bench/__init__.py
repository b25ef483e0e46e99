"""Measures what scoring costs: stages, the whole invocation, baselines, growth, cold start."""
