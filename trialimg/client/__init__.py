"""The standalone sender at a site."""
