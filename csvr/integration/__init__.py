"""Fusion of dynamic and static features into f_i."""
