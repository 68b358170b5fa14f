"""Bearer tokens (RFC 7519): signing ours, checking ours and base VEXxy's."""
