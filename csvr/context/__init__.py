"""Context branch: clip and I-frame encoders, projection heads, MI-InfoNCE."""
