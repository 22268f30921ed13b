"""Downstream evaluation: linear probe, fine-tuning, statistics."""
