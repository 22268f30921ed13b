"""Joint self-supervised pretraining of the three branches."""
