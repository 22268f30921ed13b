"""Video generating branch: TGANv2 generator, discriminator and losses."""
