"""The link to base VEXxy: its organizations and users, as it tells us about them."""
