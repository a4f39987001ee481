"""Findings -> text, JSON, HTML. Renders, computes nothing, and says the same words everywhere."""
