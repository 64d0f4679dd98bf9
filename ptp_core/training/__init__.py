"""From conversations to an adapter."""
